"""HMNet for use: train with groups, read scores, export a task's path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from hmnet.distributed import Group, join_group, leave_group
from hmnet.encoder import load_tokenizer
from hmnet.errors import InputError, suggest
from hmnet.execute import describe_parameters, execute
from hmnet.hierarchy import Groups, HierarchySpec
from hmnet.job import Machine
from hmnet.outputs import Output
from hmnet.prepared import prepare_study
from hmnet.progress import describe_micro_batches
from hmnet.runs import RESULT_SCHEMA, RunResult, RunSpec
from hmnet.saved import export_path, load_model
from hmnet.storage import read_document
from hmnet.study import Study
from hmnet.tasks import Task
from hmnet.workers import Workers


def train_hierarchy(
    output: Output,
    study: Study,
    groups_file: Path | None,
    hierarchy: str | None,
    seed: int | None,
    gpus: Sequence[int] | None,
    threads: int | None,
    duplicate: Literal["layer", "ffn"] = "layer",
    loggers: Sequence[str] = (),
) -> tuple[str, RunResult]:
    """Train HMNet on a study's tasks, in this process; return the run's id and result.

    Started by `torchrun`, its processes share every batch (`hmnet.distributed`).

    Args:
        loggers: see `hmnet.loggers`.

    Raises:
        InputError: if the groups do not hold the study's tasks, or the hierarchy does not sum to
            the encoder's depth.
    """
    groups = Groups.read(groups_file or output.groups)
    groups.check_tasks(study.tasks, str(groups_file or output.groups))
    prepared = prepare_study(study, output.data)
    layers = HierarchySpec.parse(hierarchy) if hierarchy else HierarchySpec.default(prepared.depth)
    job = prepared.make_job(
        study.tasks,
        layers,
        groups.groups.values(),
        study.seeds[0] if seed is None else seed,
        duplicate=duplicate,
        keep_model=True,
    )
    group = join_group(on_gpus=bool(gpus))
    machine = _choose_machine(gpus, threads, loggers, group)
    result = execute(job, output.runs, machine, group=group)
    leave_group()
    return job.spec.run_id, result


def _choose_machine(
    gpus: Sequence[int] | None, threads: int | None, loggers: Sequence[str], group: Group
) -> Machine:
    """Return the devices of this process: of several on a host, each takes its own GPU or cores."""
    workers = Workers.choose(gpus, 1, threads, loggers=loggers)
    if not gpus:
        cores = workers.count if threads else max(workers.count // group.local_size, 1)
        return Machine(threads=cores, loggers=workers.loggers)
    if len(gpus) < group.local_size:
        raise InputError(
            f"Parameter `gpus` should name a GPU for each of the {group.local_size} processes of "
            f"this host. Found `{','.join(map(str, gpus))}`."
        )
    return Machine(device=workers.devices[group.local_rank], loggers=workers.loggers)


def read_run(output: Output, run: str) -> tuple[str, RunResult]:
    """Return the id and the result of a run that is done."""
    folder, spec = output.runs.find(run)
    return spec.run_id, _read_result(folder)


def _read_result(folder: Path) -> RunResult:
    return read_document(folder / "result.json", RESULT_SCHEMA, RunResult)


def describe_run(run_id: str, result: RunResult) -> str:
    """Return the scores per task, dev split and metric, and exact parameter counts, as text."""
    rows = [
        {"task": task, "split": split, "metric": metric, "score": value}
        for task, splits in result.scores.items()
        for split, metrics in splits.items()
        for metric, value in metrics.items()
    ]
    table = pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.4f}")
    mean = sum(result.primary.values()) / len(result.primary)
    halved = [describe_micro_batches(result.micro_batches)] if result.micro_batches > 1 else []
    counts = ", ".join(f"{count:,} {name}" for name, count in result.parameters.items())
    return "\n".join(
        [
            table,
            f"mean of the primary metric: {mean:.4f}",
            f"{describe_parameters(result.parameters)} (exactly {counts})",
            *halved,
            f"run {run_id}",
        ]
    )


def find_task(spec: RunSpec, name: str) -> Task:
    """Return a run's task by its name."""
    found = next((task for task in spec.tasks if task.name == name), None)
    if found is None:
        raise InputError(
            f"Parameter `task` should be a task of run `{spec.run_id}`. Found `{name}`."
            f"{suggest(name, spec.names)}"
        )
    return found


def export_task(output: Output, run: str, task: str, folder: Path) -> None:
    """Write a task's path as an ordinary Hugging Face model folder.

    Raises:
        InputError: if the run lacks the task or its model, or the folder holds other files.
    """
    path, spec = output.runs.find(run)
    find_task(spec, task)
    if spec.system != "hierarchy":
        raise InputError(
            "Parameter `run` should be one whose paths are ordinary models. Found "
            f"`{spec.run_id}`, a SkillNet-style model."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"Parameter `out` should be a new or empty folder. Found `{folder}`.")
    model = load_model(path / "model", spec)
    tokenizer = load_tokenizer(str(path / "model" / "encoder"))
    export_path(model, tokenizer, spec, task, folder, _read_result(path))
