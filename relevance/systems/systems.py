"""Systems on the same tasks and budget: single-task, multi-task, HMNet with groups (Table 1).

Every system sees the same training rows in the same batches for the same number of epochs, with
the same seeds and heads; only what tasks share differs. One exception: with sampling by
`temperature`, tasks that are trained together share out their batches, and single tasks do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from analysis.gains.paired import AVERAGE
from hmnet.folder.outputs import Output
from hmnet.jobs.cost import estimate_work
from hmnet.jobs.prepared import PreparedStudy
from hmnet.jobs.progress_line import SweepProgress
from hmnet.jobs.schedule import SweepSummary, run_jobs
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Job
from hmnet.runs.result import RunResult
from hmnet.runs.store import RunStore
from hmnet.study.hierarchy import Groups, HierarchySpec
from hmnet.study.settings import TrainingSettings
from hmnet.study.stages import SharingStage
from hmnet.study.tasks import average_tasks
from relevance.systems.comparison_format import MULTI, SINGLE, SKILLNET

Duplicate = Literal["layer", "ffn"]


@dataclass(frozen=True)
class System:
    """A way to share an encoder.

    Attributes:
        name: as in tables: `single-task`, `multi-task`, `skillnet`, `hmnet-pairwise`, ...
        hierarchy: {x, y, z}; None trains every task by itself, but for a SkillNet.
        groups: groups of the tasks; None is one group of all.
        duplicate: what groups and tasks own copies of; see `hmnet.models.paths.HMNet`.
        is_skillnet: whether this is the SkillNet-style baseline.
        stages: what tasks share in each part of a run; none for `hierarchy` from its first step on.
        training: how it is trained where that is not as the study says.
    """

    name: str
    hierarchy: HierarchySpec | None = None
    groups: Groups | None = None
    duplicate: Duplicate = "layer"
    is_skillnet: bool = False
    stages: tuple[SharingStage, ...] = ()
    training: TrainingSettings | None = None


def list_systems(
    prepared: PreparedStudy,
    groups: Mapping[str, Groups],
    hierarchy: HierarchySpec | None = None,
    *,
    skillnet: bool = False,
    duplicates: Sequence[Duplicate] = ("layer",),
) -> list[System]:
    """Return single-task, multi-task, SkillNet-style, and HMNet with each of the named groups.

    Args:
        skillnet: whether the SkillNet-style baseline is among them.
        duplicates: HMNet is trained with each; the names of those with `ffn` end in `-ffn`.
    """
    layers = hierarchy or HierarchySpec.default(prepared.depth)
    return [
        System(SINGLE),
        System(MULTI, HierarchySpec(prepared.depth, 0, 0)),
        *([System(SKILLNET, is_skillnet=True)] if skillnet else []),
        *(
            System(f"hmnet-{name}{'' if what == 'layer' else '-ffn'}", layers, found, what)
            for what in duplicates
            for name, found in groups.items()
        ),
    ]


def plan_system(prepared: PreparedStudy, system: System, seed: int) -> list[Job]:
    """Return the jobs that train a system with a seed on every task of the study."""
    names = list(prepared.study.tasks)
    if system.training is not None:
        prepared = prepared.train_with(system.training)
    if system.is_skillnet:
        return [prepared.skillnet(names, seed)]
    if system.hierarchy is None:
        return [prepared.single(name, seed) for name in names]
    groups = (system.groups or Groups.one(names)).groups.values()
    return [
        prepared.make_job(
            names,
            system.hierarchy,
            groups,
            seed,
            duplicate=system.duplicate,
            stages=system.stages,
        )
    ]


def plan_comparison(prepared: PreparedStudy, systems: Sequence[System]) -> list[Job]:
    """Return the jobs that train every system with every seed of the study."""
    return [
        job
        for system in systems
        for seed in prepared.study.seeds
        for job in plan_system(prepared, system, seed)
    ]


def train_systems(
    output: Output, prepared: PreparedStudy, systems: Sequence[System], workers: Workers
) -> SweepSummary:
    """Train every system with every seed of the study where that is not done yet."""
    return run_jobs(
        plan_comparison(prepared, systems),
        output.runs,
        workers,
        cost=lambda job: estimate_work(job, prepared.data),
        watcher=SweepProgress(output.progress),
    )


def tabulate_comparison(
    prepared: PreparedStudy, systems: Sequence[System], seeds: Sequence[int], store: RunStore
) -> pd.DataFrame:
    """Return a row per system, task and seed with its score, from the runs that are done.

    The task `average` is the mean over the tasks of a system that has all of them. Columns:
    `system`, `task`, `seed`, `score`, `ci_low`, `ci_high` (null here), `params_activated`,
    `params_overall` (of all models together where each task has its own).
    """
    rows: list[tuple[str, str, int, float, int, int]] = []
    for system in systems:
        for seed in seeds:
            rows += _tabulate_system(prepared, system, seed, store)
    columns = ["system", "task", "seed", "score", "params_activated", "params_overall"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(4, "ci_low", float("nan"))
    table.insert(5, "ci_high", float("nan"))
    return table


def _tabulate_system(
    prepared: PreparedStudy, system: System, seed: int, store: RunStore
) -> list[tuple[str, str, int, float, int, int]]:
    specs = [job.spec for job in plan_system(prepared, system, seed)]
    results: list[RunResult] = [store.result(spec) for spec in specs if store.is_done(spec)]
    if not results:
        return []
    scores = {task: score for result in results for task, score in result.primary.items()}
    activated = max(result.parameters["activated"] for result in results)
    overall = sum(result.parameters["overall"] for result in results)
    if len(scores) == len(prepared.study.tasks):
        scores[AVERAGE] = average_tasks(scores, prepared.study.tasks.values())
    return [(system.name, task, seed, score, activated, overall) for task, score in scores.items()]
