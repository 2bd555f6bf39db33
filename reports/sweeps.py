"""Sweeps over the hierarchy (paper, Figures 3 and 4), found among the finished runs.

No sweep leaves a file of its own: runs that differ in nothing but the hierarchy and the groups
are one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from hmnet.hierarchy import Groups
from hmnet.runs import RunSpec
from hmnet.storage import canonical_json, to_plain
from reports.runs import RunIndex, RunRecord

LEAST_POINTS = 3
"""Fewer hierarchies than this are no sweep."""
MOST_TASKS = 3


@dataclass(frozen=True, eq=False)
class LayerSweep:
    """A few tasks with {x,0,L-x} for several x.

    Attributes:
        tasks: task names.
        rows: columns `task`, `shared`, `seed`, `score`.
    """

    tasks: tuple[str, ...]
    rows: pd.DataFrame


@dataclass(frozen=True, eq=False)
class CombinationSweep:
    """The same tasks with several {x,y,z} and groupings.

    Attributes:
        tasks: number of tasks.
        rows: columns `hierarchy`, `grouping`, `seed`, `score` (average over tasks).
        multi_task: mean of the average score with every layer shared; NaN where there is no run.
    """

    tasks: int
    rows: pd.DataFrame
    multi_task: float


def find_layer_sweeps(index: RunIndex) -> list[LayerSweep]:
    """Return the sweeps over the number of shared layers, of at most three tasks each."""
    found = []
    for records in _group_comparable(index.done):
        names = records[0].spec.names
        flat = [r for r in records if r.spec.hierarchy.cluster == 0]
        if 1 < len(names) <= MOST_TASKS and _count_hierarchies(flat) >= LEAST_POINTS:
            found.append(LayerSweep(names, _tabulate_layers(flat)))
    return found


def _group_comparable(records: Iterable[RunRecord]) -> list[list[RunRecord]]:
    """Return the runs that differ in hierarchy, groups and seed only, together."""
    found: dict[str, list[RunRecord]] = {}
    for record in records:
        spec = record.spec
        if record.kind == "skillnet":
            continue
        key = [spec.names, dict(spec.data), spec.model.fingerprint, to_plain(spec.training)]
        key += [spec.engine_version, _duplicated(spec)]
        found.setdefault(canonical_json(key), []).append(record)
    return list(found.values())


def _duplicated(spec: RunSpec) -> str:
    """Return what is duplicated; where nothing is, it belongs to the default."""
    return "layer" if spec.shares_all else spec.duplicate


def _count_hierarchies(records: Sequence[RunRecord]) -> int:
    return len({str(record.spec.hierarchy) for record in records})


def _tabulate_layers(records: Sequence[RunRecord]) -> pd.DataFrame:
    rows = [
        (task, record.spec.hierarchy.shared, record.spec.seed, record.result.primary[task])
        for record in records
        for task in record.spec.names
    ]
    frame = pd.DataFrame(rows, columns=["task", "shared", "seed", "score"])
    return frame.sort_values(["task", "shared", "seed"], ignore_index=True)


def find_combination_sweeps(index: RunIndex, groups: Groups | None) -> list[CombinationSweep]:
    """Return the sweeps over {x,y,z} and groupings.

    Args:
        groups: the study's groups, which are then called by that name.
    """
    found = []
    for records in _group_comparable(index.done):
        clustered = [r for r in records if r.spec.hierarchy.cluster > 0]
        if _count_hierarchies(clustered) >= LEAST_POINTS:
            shared = [_average(r) for r in records if r.kind == "multi-task"]
            level = sum(shared) / len(shared) if shared else math.nan
            rows = _tabulate_combinations(clustered, groups)
            found.append(CombinationSweep(len(records[0].spec.names), rows, level))
    return found


def _average(record: RunRecord) -> float:
    scores = record.result.primary
    return sum(scores.values()) / len(scores)


def _tabulate_combinations(records: Sequence[RunRecord], groups: Groups | None) -> pd.DataFrame:
    known = {groups.partition: "groups.json"} if groups is not None else {}
    partitions = sorted({record.spec.groups for record in records})
    names = {
        partition: known.get(partition, f"{len(partition)} groups, {i}")
        for i, partition in enumerate(partitions, start=1)
    }
    rows = [
        (
            str(record.spec.hierarchy),
            record.spec.hierarchy.shared,
            names[record.spec.groups] + ("" if record.spec.duplicate == "layer" else ", ffn"),
            record.spec.seed,
            _average(record),
        )
        for record in records
    ]
    frame = pd.DataFrame(rows, columns=["hierarchy", "shared", "grouping", "seed", "score"])
    return frame.sort_values(["grouping", "shared", "hierarchy", "seed"], ignore_index=True)
