"""One task added to a finished run, or trained anew in it; what other tasks use stays as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hmnet.errors import raise_problems, suggest
from hmnet.folder.outputs import Output
from hmnet.jobs.parents import begin_with
from hmnet.jobs.prepared import PreparedStudy, prepare_study
from hmnet.models.saved import read_saved_model
from hmnet.runs.job import Job, Machine
from hmnet.runs.result import RunResult
from hmnet.runs.spec import ENGINE_VERSION, RunSpec
from hmnet.study.study import Study
from hmnet.training.execution import execute


@dataclass(frozen=True)
class Extension:
    """What is added to a run.

    Attributes:
        run: the finished run, by its id, the start of it, or its folder.
        task: a task of the study: one that the run lacks, or one to train anew from what it has.
        group_with: a task of the run whose group a new one joins, using that group's layers as they
            are; None for a group of its own, whose layers begin as the encoder's.
    """

    run: str
    task: str
    group_with: str | None = None


def extend_run(
    output: Output, study: Study, extension: Extension, machine: Machine
) -> tuple[RunSpec, RunResult]:
    """Train one task in a finished run's model, here; return the new run's spec and result.

    Only what belongs to that task alone is trained. Everything else is frozen, so that the other
    tasks' predictions are, bit for bit, those of the run that is extended. The new run holds them
    all; the old one stays.

    Raises:
        InputError: if there is no such run or task, the run kept no model, or the study's settings
            would change what the other tasks predict.
    """
    folder, parent = output.runs.find(extension.run)
    raise_problems(_find_misfits(parent, study, extension))
    length = read_saved_model(folder / "model").max_length if _kept_model(folder) else None
    raise_problems(_find_length_problems(parent, study, length))
    training = dataclasses.replace(study.training, precision=parent.training.precision)
    one = {extension.task: study.tasks[extension.task]}
    prepared = prepare_study(dataclasses.replace(study, tasks=one, training=training), output.data)
    job = begin_with(_plan_extension(prepared, parent, extension), output.runs, str(folder))
    return job.spec, execute(job, output.runs, machine)


def _kept_model(folder: Path) -> bool:
    return (folder / "model" / "hmnet.json").exists()


def _find_misfits(parent: RunSpec, study: Study, extension: Extension) -> Iterator[str]:
    """Yield a sentence for each reason why a task cannot be trained in a run."""
    name, beside = extension.task, extension.group_with
    if name not in study.tasks:
        yield (
            f"Parameter `task` should be a task of the study. Found `{name}`."
            f"{suggest(name, tuple(study.tasks))}"
        )
    if parent.names == (name,):
        yield (
            f"Parameter `task` should leave other tasks as they are. Found `{name}`, the only task "
            "of the run: `hmnet train --start-from` goes on with it."
        )
    if beside is not None and beside not in parent.names:
        yield (
            f"Parameter `group_with` should be a task of run `{parent.run_id}`. Found `{beside}`."
            f"{suggest(beside, parent.names)}"
        )
    elif beside is not None and name in parent.names:
        yield (
            "Parameter `group_with` should be left out where the run has the task already. Found "
            f"`{beside}` for `{name}`, which keeps its group."
        )
    if parent.training.stopping == "task":
        yield (
            "Parameter `run` should be one whose tasks share layers. Found "
            f"`{parent.run_id}`, whose paths share nothing as each has its own best epoch."
        )
    if study.training.stopping == "task" or study.training.distillation is not None:
        yield (
            "Parameter `training.stopping` should be `end`, and `training.distillation` be left "
            "out, where a run is extended. Found another setting in the study."
        )


def _find_length_problems(parent: RunSpec, study: Study, length: int | None) -> Iterator[str]:
    """Yield a sentence where other tasks' rows would be cut elsewhere; a model has one length."""
    if length is not None and length != study.rows.max_length:
        yield (
            f"Parameter `rows.max_length` should be {length}, as in run `{parent.run_id}`. Found "
            f"`{study.rows.max_length}`: give `--set rows.max_length={length}`."
        )


def _plan_extension(prepared: PreparedStudy, parent: RunSpec, extension: Extension) -> Job:
    """Return the job that trains one task, with all else as the parent run's spec has it."""
    name, study = extension.task, prepared.study
    tasks = {task.name: task for task in parent.tasks} | {name: study.tasks[name]}
    spec = dataclasses.replace(
        parent,
        tasks=tuple(tasks[each] for each in sorted(tasks)),
        data={**parent.data, name: prepared.data[name].fingerprint},
        model=prepared.model,
        groups=_place(parent.groups, name, extension.group_with),
        training=study.training,
        engine_version=ENGINE_VERSION,
        stages=(),
        start_from=parent.run_id,
        teachers={},
        trained=(name,),
    )
    folders = {name: prepared.folders[name]}
    return Job(spec, folders, keep_model=True, max_length=study.rows.max_length)


def _place(
    groups: Sequence[tuple[str, ...]], task: str, beside: str | None
) -> tuple[tuple[str, ...], ...]:
    """Return the groups with a task: where it is, in another's group, or in one of its own.

    >>> _place((("mnli", "qnli"), ("sst2",)), "rte", "mnli")
    (('mnli', 'qnli', 'rte'), ('sst2',))
    """
    if any(task in group for group in groups):
        return tuple(groups)
    placed = [tuple(sorted((*group, task))) if beside in group else group for group in groups]
    return tuple(sorted([*placed, *([] if beside else [(task,)])]))
