"""A whole small sweep against a loop over Trainer in fresh processes; memory; growth with tasks."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.better_precision import find_better_precision
from benchmarks.entries import Entry
from benchmarks.rows import Material
from benchmarks.stock import make_trainer, predict_stock, train_stock
from benchmarks.timing import peak_mib
from benchmarks.training import prepare, prepare_named
from hmnet.data.task_data import load
from hmnet.jobs.estimate import estimate_sweep
from hmnet.jobs.prepared import PreparedStudy
from hmnet.jobs.schedule import run_jobs
from hmnet.jobs.workers import Workers, count_cores
from hmnet.planted import make_planted_tasks
from hmnet.runs.job import Job, Machine
from hmnet.runs.store import RunStore
from hmnet.study.settings import DataSettings, TrainingSettings
from hmnet.study.tasks import PAPER_TASKS, Task
from hmnet.training.execution import execute
from relevance.pairwise.plan import plan_pairwise

SWEPT = ("rte", "mrpc", "cb", "stsb", "sst2", "qnli")
SWEPT_LONG = ("rte", "sst2", "multirc")
SETTINGS = TrainingSettings(epochs=1, batch_size=16, precision=find_better_precision())
LENGTH, LONG = 128, 512


def measure_sweep(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Run 6 single and 15 pair runs over 1,000 rows a task, and evaluate each; then a loop."""
    prepared = _prepare_sweep(material, SWEPT, scale, LENGTH)
    jobs = plan_pairwise(prepared, (0,), None).jobs
    foretold = estimate_sweep(prepared, jobs, Workers.choose())
    ours = _run_ours(prepared, material.folder / "swept")
    estimate = Entry(
        "estimate",
        foretold,
        ours,
        foretold / ours,
        "s",
        f"what --dry-run foretells (ours) and what the sweep of {len(jobs)} runs took (other); the "
        f"ratio should be within 25 % of 1; {SETTINGS.precision}; {material.words}",
    )
    other = _run_stock(prepared, material, at_once=1)
    words = f"one after the other, {count_cores()} threads"
    return [estimate, _compare_sweep("sweep", prepared, (ours, other), words, material)]


def measure_long_sweep(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Compare 3 single and 3 pair runs over 400 rows a task, a third of them long."""
    prepared = _prepare_sweep(material, SWEPT_LONG, 0.4 * scale, LONG)
    ours = _run_ours(prepared, material.folder / "swept-long")
    other = _run_stock(prepared, material, at_once=1)
    words = f"one after the other, {count_cores()} threads"
    return [_compare_sweep("sweep_long", prepared, (ours, other), words, material)]


def measure_two_loops(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Compare the same sweep with as many loops over Trainer at once as there are cores."""
    prepared = _prepare_sweep(material, SWEPT, scale, LENGTH)
    ours = _run_ours(prepared, material.folder / "swept-again")
    other = _run_stock(prepared, material, at_once=count_cores())
    words = "as many at a time as cores, one thread each"
    return [_compare_sweep("sweep_loops", prepared, (ours, other), words, material)]


def _prepare_sweep(
    material: Material, tasks: tuple[str, ...], scale: float, length: int
) -> PreparedStudy:
    count = max(round(1000 * scale), 32)
    return prepare(
        material,
        tasks if count > 32 else tasks[:3],
        DataSettings(length, count, count),
        SETTINGS,
    )


def _compare_sweep(
    name: str, prepared: PreparedStudy, seconds: tuple[float, float], words: str, material: Material
) -> Entry:
    ours, other = seconds
    tasks, rows = len(prepared.data), max(len(d.train) for d in prepared.data.values())
    return Entry(
        name,
        ours,
        other,
        other / ours,
        "s",
        f"{tasks * (tasks + 1) // 2} runs of {tasks} tasks, at most {rows:,} training and dev rows "
        f"each, at most {prepared.study.rows.max_length} tokens a row, with evaluation, "
        f"{SETTINGS.precision}, {count_cores()} cores, against a loop over Trainer in fresh "
        f"processes, {words}, with the tokenised rows cached (a pair trains one model after the "
        f"other); once each; {material.words}",
    )


def _run_ours(prepared: PreparedStudy, folder: Path) -> float:
    began = time.perf_counter()
    plan = plan_pairwise(prepared, (0,), None)
    summary = run_jobs(plan.jobs, RunStore(folder), Workers.choose())
    if summary.failed:
        raise RuntimeError(f"runs failed: {summary.failed}")
    return time.perf_counter() - began


def _run_stock(prepared: PreparedStudy, material: Material, at_once: int) -> float:
    names = list(prepared.data)
    runs = [(name,) for name in names] + list(itertools.combinations(names, 2))
    threads = count_cores() // at_once
    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda run: _run_fresh(prepared, material, run, threads), runs))
    return time.perf_counter() - began


def _run_fresh(
    prepared: PreparedStudy, material: Material, names: tuple[str, ...], threads: int
) -> None:
    folders = [f"{name}={prepared.folders[name]}" for name in names]
    command = [sys.executable, "-m", "benchmarks.sweep", str(material.encoder), *folders]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
    }
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


def run_stock_once(encoder: Path, tasks: Sequence[tuple[Task, Path]]) -> None:
    """Train one Trainer per task, as a loop over it would; a pair's shared encoder is left out.

    The Trainer has no notion of two heads. Training one after the other with as many steps costs
    what a multi-task loop around it would.
    """
    for task, folder in tasks:
        data = load(folder, task)
        trainer = make_trainer(encoder, task, data.train, SETTINGS, folder / "trainer")
        train_stock(trainer)
        for split in task.dev_splits:
            predict_stock(trainer, data.splits[split])


def measure_memory(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Compare a worker's peak memory with few and with many rows a task, over as many steps."""
    few, many = (max(round(count * scale), 64) for count in (1_000, 20_000))
    peaks = [_measure_worker(material, count, few) for count in (few, many)]
    return [
        Entry(
            "memory",
            peaks[1],
            peaks[0],
            peaks[1] / peaks[0],
            "MiB",
            f"peak memory of one run's process with {many:,} rows (ours) against {few:,} (other) "
            f"of MNLI; the ratio should be 1; {material.words}",
        )
    ]


def _measure_worker(material: Material, rows: int, cap: int) -> float:
    """Return the peak MiB of a fresh process that runs as many steps, however many rows."""
    settings = TrainingSettings(
        epochs=1,
        batch_size=16,
        precision=find_better_precision(),
        sampling="capped",
        cap=min(cap, rows),
    )
    prepared = prepare(material, ("mnli",), DataSettings(LENGTH, rows, 200), settings)
    job = prepared.single(next(iter(prepared.data)), 0)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run_and_measure, job, material.folder / f"memory-{rows}").result()


def _run_and_measure(job: Job, folder: Path) -> float:
    execute(job, RunStore(folder), Machine(threads=1))
    return peak_mib()


def measure_growth(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Time sweeps of 4, 8 and 13 tasks, and the time per run in each."""
    entries = []
    for tasks in (4, 8, 13):
        names = list(PAPER_TASKS if material.is_real else make_planted_tasks())[:tasks]
        count = max(round(100 * scale), 16)
        settings = DataSettings(LENGTH, count, count)
        prepared = prepare_named(material, names, settings, SETTINGS)
        seconds = _run_ours(prepared, material.folder / f"growth-{tasks}")
        runs = len(plan_pairwise(prepared, (0,), None).jobs)
        per_task = seconds / (2 * runs - tasks)  # a pair trains two tasks
        entries.append(
            Entry(
                f"growth_{tasks}",
                seconds,
                per_task,
                seconds / per_task,
                "s",
                f"a sweep of {tasks} tasks ({runs} runs) with {count} rows each (ours), and the "
                f"same per trained task (other), {SETTINGS.precision}; {material.words}",
            )
        )
    return entries


if __name__ == "__main__":
    known = {**make_planted_tasks(), **PAPER_TASKS}
    pairs = [argument.split("=", 1) for argument in sys.argv[2:]]
    run_stock_once(Path(sys.argv[1]), [(known[name], Path(folder)) for name, folder in pairs])
