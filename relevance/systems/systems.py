"""Systems on the same tasks and budget: single-task, multi-task, HMNet with groups (Table 1).

Every system sees the same training rows in the same batches for the same number of epochs, with
the same seeds and heads; only what tasks share differs. One exception: with sampling by
`temperature`, tasks that are trained together share out their batches, and single tasks do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import pandas as pd

from analysis.gains.paired import AVERAGE, LARGE_AVERAGE
from hmnet.folder.outputs import Output
from hmnet.jobs.cost import estimate_work
from hmnet.jobs.prepared import PreparedStudy
from hmnet.jobs.progress_line import SweepProgress
from hmnet.jobs.schedule import SweepSummary, run_jobs
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Job
from hmnet.runs.result import RunResult
from hmnet.runs.store import RunStore
from hmnet.study.hierarchy import Groups, Hierarchy, HierarchySpec
from hmnet.study.metrics import list_averaged
from hmnet.study.settings import TrainingSettings
from hmnet.study.stages import SharingStage
from relevance.systems.comparison_format import MULTI, SINGLE, SKILLNET

Duplicate = Literal["layer", "ffn"]


@dataclass(frozen=True)
class System:
    """A way to share an encoder.

    Attributes:
        name: as in tables: `single-task`, `multi-task`, `skillnet`, `hmnet-pairwise`, ...
        hierarchy: {x, y, z}, of all tasks or of each; None trains every task by itself, but for a
            SkillNet.
        groups: groups of the tasks; None is one group of all.
        duplicate: what groups and tasks own copies of; see `hmnet.models.paths.HMNet`.
        is_skillnet: whether this is the SkillNet-style baseline.
        stages: what tasks share in each part of a run; none for `hierarchy` from its first step on.
        training: how it is trained where that is not as the study says.
        epochs: numbers of epochs of which it gets the best (`relevance.systems.best_epochs`); none
            for that of its training.
        chosen: task to that number, once it is chosen.
    """

    name: str
    hierarchy: Hierarchy | None = None
    groups: Groups | None = None
    duplicate: Duplicate = "layer"
    is_skillnet: bool = False
    stages: tuple[SharingStage, ...] = ()
    training: TrainingSettings | None = None
    epochs: tuple[int, ...] = ()
    chosen: Mapping[str, int] = field(default_factory=dict)

    def train_for(self, epochs: int) -> System:
        """Return the system with a number of epochs, and no other to choose from."""
        return replace(self, epochs=(epochs,), chosen={})

    def settings_for(self, task: str, study: TrainingSettings) -> TrainingSettings:
        """Return how a task is trained; a system of several numbers of epochs has chosen one."""
        training = self.training or study
        epochs = self.chosen.get(task, self.epochs[0] if self.epochs else training.epochs)
        return replace(training, epochs=epochs)


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
        hierarchy: None for what was advised with the groups, else the default of the depth.
        skillnet: whether the SkillNet-style baseline is among them.
        duplicates: HMNet is trained with each; the names of those with `ffn` end in `-ffn`.
    """
    default = HierarchySpec.default(prepared.depth)
    layers = {name: hierarchy or found.advise() or default for name, found in groups.items()}
    return [
        System(SINGLE),
        System(MULTI, HierarchySpec(prepared.depth, 0, 0)),
        *([System(SKILLNET, is_skillnet=True)] if skillnet else []),
        *(
            System(f"hmnet-{name}{'' if what == 'layer' else '-ffn'}", layers[name], found, what)
            for what in duplicates
            for name, found in groups.items()
        ),
    ]


def plan_system(prepared: PreparedStudy, system: System, seed: int) -> list[Job]:
    """Return the jobs that train a system with a seed on every task of the study.

    Where a number of epochs is still to be chosen, those of each number.
    """
    names = list(prepared.study.tasks)
    if len(system.epochs) > 1 and not system.chosen:
        return [j for e in system.epochs for j in plan_system(prepared, system.train_for(e), seed)]
    if system.hierarchy is None and not system.is_skillnet:
        return [_train_as(prepared, system, name).single(name, seed) for name in names]
    prepared = _train_as(prepared, system, names[0])
    if system.is_skillnet:
        return [prepared.skillnet(names, seed)]
    groups = (system.groups or Groups.one(names)).groups.values()
    return [
        prepared.make_job(
            names,
            system.hierarchy or HierarchySpec(prepared.depth, 0, 0),
            groups,
            seed,
            duplicate=system.duplicate,
            stages=system.stages,
        )
    ]


def _train_as(prepared: PreparedStudy, system: System, task: str) -> PreparedStudy:
    """Return the study with the settings that a system trains a task with."""
    settings = system.settings_for(task, prepared.study.training)
    return prepared if settings == prepared.study.training else prepared.train_with(settings)


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
    prepared: PreparedStudy, systems: Sequence[System], store: RunStore, large: Sequence[str] = ()
) -> pd.DataFrame:
    """Return a row per system, task and seed with its score, from the runs that are done.

    The task `average` is the mean over the tasks of a system that has all of them, without those
    that are scored by an error (`hmnet.study.metrics.list_averaged`); `LARGE_AVERAGE` that over
    `large` alone, if there are some. Columns: `system`, `task`, `seed`, `score`,
    `ci_low`, `ci_high` (null here), `params_activated`, `params_overall` (of all models together
    where each task has its own).
    """
    counted = list_averaged({name: task.metric for name, task in prepared.study.tasks.items()})
    averages = {AVERAGE: counted, **({LARGE_AVERAGE: large} if large else {})}
    rows: list[tuple[str, str, int, float, int, int]] = []
    for system in systems:
        for seed in prepared.study.seeds:
            rows += _tabulate_system(plan_system(prepared, system, seed), system, store, averages)
    columns = ["system", "task", "seed", "score", "params_activated", "params_overall"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(4, "ci_low", float("nan"))
    table.insert(5, "ci_high", float("nan"))
    return table


def _tabulate_system(
    jobs: Sequence[Job], system: System, store: RunStore, averages: Mapping[str, Sequence[str]]
) -> list[tuple[str, str, int, float, int, int]]:
    specs = [job.spec for job in jobs]
    results: list[RunResult] = [store.result(spec) for spec in specs if store.is_done(spec)]
    if not results:
        return []
    scores = {task: score for result in results for task, score in result.primary.items()}
    activated = max(result.parameters["activated"] for result in results)
    overall = sum(result.parameters["overall"] for result in results)
    means = {
        name: sum(scores[task] for task in tasks) / len(tasks)
        for name, tasks in averages.items()
        if set(tasks) <= set(scores)
    }
    seed, found = specs[0].seed, {**scores, **means}
    return [(system.name, task, seed, score, activated, overall) for task, score in found.items()]
