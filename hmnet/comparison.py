"""Systems on the same tasks and budget: single-task, multi-task, HMNet with groups (Table 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from hmnet.execute import Job
from hmnet.hierarchy import Groups, HierarchySpec
from hmnet.prepared import PreparedStudy
from hmnet.runs import RunResult, RunStore

COMPARISON_SCHEMA = "comparison/1"
SINGLE, MULTI, AVERAGE = "single-task", "multi-task", "average"


@dataclass(frozen=True)
class System:
    """A way to share an encoder.

    Attributes:
        name: as in tables: `single-task`, `multi-task`, `hmnet-pairwise`, ...
        hierarchy: {x, y, z}; None trains every task by itself.
        groups: groups of the tasks; None is one group of all.
    """

    name: str
    hierarchy: HierarchySpec | None = None
    groups: Groups | None = None


def list_systems(
    prepared: PreparedStudy, groups: Mapping[str, Groups], hierarchy: HierarchySpec | None = None
) -> list[System]:
    """Return single-task, multi-task, and HMNet with each of the named groups."""
    layers = hierarchy or HierarchySpec.default(prepared.depth)
    return [
        System(SINGLE),
        System(MULTI, HierarchySpec(prepared.depth, 0, 0)),
        *(System(f"hmnet-{name}", layers, found) for name, found in groups.items()),
    ]


def plan_system(prepared: PreparedStudy, system: System, seed: int) -> list[Job]:
    """Return the jobs that train a system with a seed on every task of the study."""
    names = list(prepared.study.tasks)
    if system.hierarchy is None:
        return [prepared.single(name, seed) for name in names]
    groups = system.groups or Groups.one(names)
    return [prepared.make_job(names, system.hierarchy, groups.groups.values(), seed)]


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
        scores[AVERAGE] = sum(scores.values()) / len(scores)
    return [(system.name, task, seed, score, activated, overall) for task, score in scores.items()]
