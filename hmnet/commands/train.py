"""One HMNet trained with groups: `hmnet train`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hmnet.errors import InputError
from hmnet.folder.freshness import tell_stale
from hmnet.folder.outputs import Output
from hmnet.jobs.machine_precision import settle_precision
from hmnet.jobs.parents import begin_with
from hmnet.jobs.prepared import prepare_study
from hmnet.jobs.step_progress import StepProgress, count_steps
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Job, Machine
from hmnet.runs.result import RunResult
from hmnet.seeding import check_seed
from hmnet.study.hierarchy import (
    Groups,
    Hierarchy,
    HierarchySpec,
    parse_depths,
    vary_hierarchy,
)
from hmnet.study.stages import SharingStage, parse_stages
from hmnet.study.study import Study
from hmnet.training.distributed import (
    ALONE,
    ProcessGroup,
    join_process_group,
    leave_process_group,
)
from hmnet.training.execution import execute


@dataclass(frozen=True)
class Design:
    """Which HMNet is trained.

    Attributes:
        groups_file: a `groups.json`; None for the output folder's.
        hierarchy: {x, y, z} as text; None for the default of the encoder's depth.
        duplicate: what groups and tasks own copies of (`hmnet.models.paths.HMNet`).
        seed: None for the study's first.
        stages: what tasks share in each part of the run, as text (`hmnet.study.stages`); None for
            the study's, unless there is a hierarchy.
        start_from: a finished run whose weights are begun with; None for the study's, if any.
        depths: own {x, y, z} of groups and tasks, as text; None for the study's, unless there is a
            hierarchy or there are stages.
    """

    groups_file: Path | None = None
    hierarchy: str | None = None
    duplicate: Literal["layer", "ffn"] = "layer"
    seed: int | None = None
    stages: str | None = None
    start_from: str | None = None
    depths: str | None = None

    def __post_init__(self) -> None:
        if self.stages is not None and self.hierarchy is not None:
            raise InputError(
                "Parameter `hierarchy` should be left out where there are `stages`: it is that of "
                f"the last one. Found `{self.hierarchy}`."
            )

    def choose_stages(self, study: Study) -> tuple[SharingStage, ...]:
        """Return the stages; none for one hierarchy from the first step on."""
        if self.stages is not None:
            return parse_stages(self.stages)
        return study.sharing.stages if self.hierarchy is None else ()

    def choose_hierarchy(
        self, study: Study, stages: Sequence[SharingStage], groups: Groups, depth: int
    ) -> Hierarchy:
        """Return the hierarchy of the last stage, the given, the advised, or the default one.

        What is said here or by the study goes before what was advised with the groups.
        """
        is_said = self.hierarchy is not None or self.stages is not None
        depths = {} if is_said else study.sharing.depths
        if self.depths is not None:
            depths = parse_depths(self.depths)
        advised = groups.advise()
        if advised is not None and not (is_said or depths or stages):
            return advised
        default = HierarchySpec.default(depth)
        if self.hierarchy:
            default = HierarchySpec.parse(self.hierarchy)
        return vary_hierarchy(stages[-1].hierarchy if stages else default, depths, groups)


def train_hierarchy(
    output: Output,
    study: Study,
    design: Design,
    *,
    gpus: Sequence[int] | None = None,
    threads: int | None = None,
    loggers: Sequence[str] = (),
) -> tuple[str, RunResult]:
    """Train HMNet on a study's tasks, in this process; return the run's id and result.

    Started by `torchrun`, its processes share every batch (`hmnet.training.distributed`).

    Args:
        gpus: GPUs to train on, one for each process of this host; None for the CPU.
        threads: CPU threads; None for one per core.
        loggers: see `hmnet.runs.loggers`.

    Raises:
        InputError: if the groups do not hold the study's tasks, or the hierarchy does not sum to
            the encoder's depth; at once if the seed is out of range, or the environment names a
            group of processes that is incomplete or whose members do not find each other.
    """
    if design.seed is not None:
        check_seed(design.seed)
    group = join_process_group(on_gpus=bool(gpus))
    machine = choose_machine(gpus, threads, loggers, group)
    study = settle_precision(output.folder, study, [machine.device])
    job, total = _plan_job(output, study, design)
    for first in job.before:
        execute(first, output.runs, machine, group=group)
    progress = StepProgress(total)
    try:
        result = execute(job, output.runs, machine, group=group, watch=progress)
    finally:
        progress.close()
    leave_process_group()
    return job.spec.run_id, result


def _plan_job(output: Output, study: Study, design: Design) -> tuple[Job, int]:
    """Return the job of the design and its steps, with the study's data and encoder at hand."""
    file = design.groups_file or output.groups
    groups = Groups.read(file)
    tell_stale(output, file)
    groups.check_tasks(study.tasks, str(file))
    stages = design.choose_stages(study)
    prepared = prepare_study(study, output.data)
    job = prepared.make_job(
        study.tasks,
        design.choose_hierarchy(study, stages, groups, prepared.depth),
        groups.groups.values(),
        study.seeds[0] if design.seed is None else design.seed,
        duplicate=design.duplicate,
        stages=stages,
        keep_model=True,
    )
    parent = design.start_from or study.sharing.start_from
    total = count_steps(job.spec, {name: len(data.train) for name, data in prepared.data.items()})
    return (begin_with(job, output.runs, parent) if parent else job), total


def choose_machine(
    gpus: Sequence[int] | None,
    threads: int | None,
    loggers: Sequence[str] = (),
    group: ProcessGroup = ALONE,
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
