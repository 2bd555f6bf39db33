"""One HMNet trained with groups: `hmnet train`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import prepare_study
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Machine
from hmnet.runs.result import RunResult
from hmnet.study.hierarchy import Groups, HierarchySpec
from hmnet.study.study import Study
from hmnet.training.distributed import Group, join_group, leave_group
from hmnet.training.execute import execute


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

    Started by `torchrun`, its processes share every batch (`hmnet.training.distributed`).

    Args:
        loggers: see `hmnet.runs.loggers`.

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
