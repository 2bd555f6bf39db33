"""Jobs that stand for trainings: they store a result, fail, or die, as their seed says."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hmnet.errors import RelevanceError
from hmnet.jobs.schedule import run_jobs
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Job, Machine
from hmnet.runs.result import RunResult
from hmnet.runs.spec import RunSpec
from hmnet.runs.store import RunStore
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import ModelRef, TrainingSettings
from hmnet.study.tasks import Task

TASK = Task(name="one", text=("text",), labels=(0, 1))
SPEC = RunSpec(
    tasks=(TASK,),
    data={"one": "x"},
    model=ModelRef("encoder", None, "x"),
    hierarchy=HierarchySpec(0, 0, 3),
    groups=(("one",),),
    training=TrainingSettings(),
    seed=0,
)
RESULT = RunResult(
    scores={"one": {"validation": {"accuracy": 0.5}}},
    primary={"one": 0.5},
    n_dev={"one": {"validation": 2}},
    steps=1,
    train_tokens=1,
    seconds={"train": 0.0, "evaluate": 0.0},
    parameters={"overall": 1, "activated": 1},
    final_loss={"one": 0.1},
    versions={},
)


def store_result(job: Job, store: RunStore, machine: Machine, *, waits: bool = True) -> RunResult:
    """Stand for a training: count that it was begun, and store a result."""
    with store.locked(job.spec, waits=waits) as folder:
        if store.is_done(job.spec):
            return store.result(job.spec)
        with (folder / "begun").open("a") as file:
            file.write("x")
        _misbehave(job.spec.seed, folder)
        store.write_spec(job.spec)
        store.finish(job.spec, RESULT)
        return store.result(job.spec)


def _misbehave(seed: int, folder: Path) -> None:
    """Die as a crash or the out-of-memory killer would, or fail, as the seed says."""
    begun = len((folder / "begun").read_text())
    if seed == 100:
        os.kill(os.getpid(), signal.SIGSEGV)
    if seed == 101:
        os.kill(os.getpid(), signal.SIGKILL)
    if seed == 102 and begun == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if seed == 103:
        raise RelevanceError("The loss became nan.")
    if seed == 104 or (seed == 105 and begun == 1):
        raise RuntimeError("CUDA error: device-side assert triggered")
    if seed == 106:
        time.sleep(1.1)  # memory is looked at once a second at most
        _HOARD.append(bytearray(os.urandom(1 << 20) * 400))
    time.sleep(0.1)


_HOARD: list[bytearray] = []


def run_seeds(
    folder: Path, seeds: list[int], workers: int
) -> tuple[dict[str, Any], Callable[[int], int]]:
    store = RunStore(folder)
    jobs = {seed: Job(dataclasses.replace(SPEC, seed=seed), {"one": folder}) for seed in seeds}
    chosen = Workers(workers, ("cpu",) * workers)
    summary = run_jobs(list(jobs.values()), store, chosen, execute=store_result)
    ids = {job.spec.run_id: seed for seed, job in jobs.items()}
    named = {
        "done": sorted(ids[run_id] for run_id in summary.done),
        "failed": {ids[run_id]: error for run_id, error in summary.failed.items()},
    }
    return named, lambda seed: len((store.path(jobs[seed].spec) / "begun").read_text())
