"""Sweeps over the hierarchy: how many layers to share (Figure 3), which combination (Figure 4).

A sweep is planned, cached and scheduled as every other set of runs is; its table is a view of the
finished ones, which `reports.inputs.hierarchy_sweeps` reads.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from hmnet.errors import InputError, raise_problems
from hmnet.folder.freshness import Sources, deriving, note_runs, note_study
from hmnet.folder.outputs import Output
from hmnet.jobs.cost import estimate_work
from hmnet.jobs.prepared import PreparedStudy
from hmnet.jobs.progress_line import SweepProgress
from hmnet.jobs.schedule import raise_failures, run_jobs
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Job
from hmnet.runs.store import RunStore
from hmnet.storage.documents import to_plain
from hmnet.storage.tables import write_table
from hmnet.study.hierarchy import Groups, HierarchySpec
from hmnet.study.tasks import average_primary
from relevance.systems.comparison_format import MULTI
from relevance.systems.sweep_format import COMBINATION_SWEEP, LAYER_SWEEP


@dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Attributes:
        hierarchy: {x, y, z}.
        grouping: name of the groups; `multi-task` where every layer is shared.
        seed: the run's seed.
        job: what to run.
    """

    hierarchy: HierarchySpec
    grouping: str
    seed: int
    job: Job


@dataclass(frozen=True)
class HierarchySweep:
    """The runs of a sweep.

    Attributes:
        kind: `layers` (Figure 3) or `combinations` (Figure 4).
        points: its runs.
    """

    kind: Literal["layers", "combinations"]
    points: tuple[Point, ...]

    @property
    def jobs(self) -> list[Job]:
        """Every job."""
        return [point.job for point in self.points]


def check_hierarchy_sweep(shared: Sequence[int] | None, hierarchies: str | None) -> None:
    """Raise an InputError unless one of `shared` and `hierarchies` is given."""
    if (shared is None) == (hierarchies is None):
        found = "none" if shared is None else "both"
        raise InputError(
            f"One of the parameters `shared` and `hierarchies` should be given. Found {found}."
        )


def plan_hierarchy_sweep(
    prepared: PreparedStudy,
    shared: Sequence[int] | None,
    hierarchies: str | None,
    groupings: Mapping[str, Groups],
) -> HierarchySweep:
    """Plan the sweep that the options ask for.

    Raises:
        InputError: unless one of `shared` and `hierarchies` is given, or if it does not fit.
    """
    check_hierarchy_sweep(shared, hierarchies)
    if shared is not None:
        return plan_layers(prepared, shared)
    return plan_combinations(prepared, hierarchies or "", groupings)


def plan_layers(prepared: PreparedStudy, shared: Sequence[int]) -> HierarchySweep:
    """Plan {x, 0, L-x} on the study's tasks for each x and seed.

    Raises:
        InputError: if an x is not between 0 and the encoder's depth, or repeated.
    """
    depth = prepared.depth
    raise_problems(
        f"Parameter `shared` should be between 0 and the encoder's depth, {depth}. Found `{x}`."
        for x in shared
        if not 0 <= x <= depth
    )
    _refuse_repeated("shared", shared)
    names = list(prepared.study.tasks)
    if len(names) < 2:
        raise InputError(
            f"Parameter `tasks` should name at least two tasks to share layers. Found `{names}`."
        )
    layers = [HierarchySpec(x, 0, depth - x) for x in shared]
    return HierarchySweep("layers", tuple(_plan(prepared, layers, {"": Groups.one(names)})))


def plan_combinations(
    prepared: PreparedStudy, hierarchies: str, groupings: Mapping[str, Groups]
) -> HierarchySweep:
    """Plan every {x,y,z} with every grouping and seed, and multi-task training.

    Args:
        hierarchies: `8,2,2;6,4,2`.

    Raises:
        InputError: if a hierarchy is none, does not fit the encoder, or is repeated.
    """
    layers = [HierarchySpec.parse(text) for text in hierarchies.split(";") if text.strip()]
    _refuse_repeated("hierarchies", [str(found) for found in layers])
    if not layers:
        raise InputError(
            f"Parameter `hierarchies` should be such as 8,2,2;6,4,2. Found `{hierarchies}`."
        )
    for found in layers:
        found.check_depth(prepared.depth)
    all_shared = HierarchySpec(prepared.depth, 0, 0)
    one = {MULTI: Groups.one(prepared.study.tasks)}
    points = (*_plan(prepared, layers, groupings), *_plan(prepared, [all_shared], one))
    return HierarchySweep("combinations", points)


def _refuse_repeated(parameter: str, values: Sequence[int] | Sequence[str]) -> None:
    repeated = sorted({value for value in values if values.count(value) > 1})
    raise_problems(
        f"Parameter `{parameter}` should name each value once. Found `{value}` twice."
        for value in repeated
    )


def _plan(
    prepared: PreparedStudy, hierarchies: Iterable[HierarchySpec], groupings: Mapping[str, Groups]
) -> list[Point]:
    names = list(prepared.study.tasks)
    return [
        Point(layers, name, seed, prepared.make_job(names, layers, groups.groups.values(), seed))
        for layers in hierarchies
        for name, groups in groupings.items()
        for seed in prepared.study.seeds
    ]


def run_hierarchy_sweep(
    output: Output, prepared: PreparedStudy, sweep: HierarchySweep, workers: Workers
) -> tuple[pd.DataFrame, Path]:
    """Run what is missing of a sweep; write its table, `sweep-<kind>.parquet`.

    Returns:
        The table, see `tabulate_layers` and `tabulate_combinations`, and its file.

    Raises:
        RunsFailedError: if runs failed, after the table of the others is written.
    """
    summary = run_jobs(
        sweep.jobs,
        output.runs,
        workers,
        cost=lambda job: estimate_work(job, prepared.data),
        watcher=SweepProgress(output.progress),
    )
    tabulate, schema = _TABLES[sweep.kind]
    table = tabulate(sweep.points, output.runs)
    provenance = {
        "model": to_plain(prepared.model),
        "training": to_plain(prepared.study.training),
        "tasks": list(prepared.study.tasks),
    }
    path = output.sweep(sweep.kind)
    sources = Sources(
        "hmnet sweep",
        note_study(output, prepared.study),
        runs=note_runs(output, table["run"].unique()),
    )
    with deriving(sources):
        write_table(path, table, schema, provenance)
    raise_failures(summary)
    return table, path


def tabulate_layers(points: Sequence[Point], store: RunStore) -> pd.DataFrame:
    """Return a row per finished run and task, with the columns of `LAYER_SWEEP` and `run`."""
    rows = [
        (task, point.hierarchy.shared, point.seed, score, point.job.spec.run_id)
        for point in points
        if store.is_done(point.job.spec)
        for task, score in store.result(point.job.spec).primary.items()
    ]
    frame = pd.DataFrame(rows, columns=[*LAYER_SWEEP.columns, "run"])
    return frame.sort_values(["task", "shared", "seed"], ignore_index=True)


def tabulate_combinations(points: Sequence[Point], store: RunStore) -> pd.DataFrame:
    """Return a row per finished run, with the columns of `COMBINATION_SWEEP` and `run`."""
    rows = [
        (
            str(point.hierarchy),
            point.hierarchy.shared,
            point.grouping,
            point.seed,
            average_primary(store.result(point.job.spec).primary, point.job.spec.tasks),
            point.job.spec.run_id,
        )
        for point in points
        if store.is_done(point.job.spec)
    ]
    frame = pd.DataFrame(rows, columns=[*COMBINATION_SWEEP.columns, "run"])
    return frame.sort_values(["grouping", "shared", "hierarchy", "seed"], ignore_index=True)


_TABLES = {
    "layers": (tabulate_layers, LAYER_SWEEP.schema),
    "combinations": (tabulate_combinations, COMBINATION_SWEEP.schema),
}


def describe_hierarchy_sweep(table: pd.DataFrame, errors: Collection[str] = ()) -> str:
    """Return the means over seeds and their range, as text.

    Args:
        errors: tasks whose scores are the negatives of errors, which are shown in their own unit.
    """
    lines = "task" if "task" in table.columns else "grouping"
    along = "shared" if "task" in table.columns else "hierarchy"
    order = list(dict.fromkeys(table.sort_values(["shared", along])[along]))
    scale = table[lines].map(lambda line: -1.0 if line in errors else 100.0)
    shown = table.assign(score=scale * table["score"]).set_index([lines, along])["score"]
    spread = shown.groupby(level=[0, 1]).agg(["mean", "min", "max"])
    is_lower = spread.index.get_level_values(0).isin(list(errors))
    text = [
        _show_range(row, is_error=lower)
        for (_, row), lower in zip(spread.iterrows(), is_lower.tolist(), strict=True)
    ]
    wide = pd.Series(text, index=spread.index).unstack(fill_value="")[order]
    told = f"; errors in their own unit: {', '.join(errors)}" if errors else ""
    title = f"score, % (mean and range over seeds{told})"
    return f"{title}\n{wide.rename_axis(index=None).to_string()}"


def _show_range(row: pd.Series, *, is_error: bool) -> str:
    mean, low, high = (f"{row[k]:.3g}" if is_error else f"{row[k]:.1f}" for k in row.index)
    return f"{mean} ({low} to {high})"
