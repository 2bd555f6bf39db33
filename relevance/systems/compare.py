"""All systems on a study's tasks, trained and compared (Table 1).

It is the one comparison: of `hmnet compare`, of `relevance demo`, and of the report.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.gains.paired import (
    AVERAGE,
    AVERAGES,
    LARGE_AVERAGE,
    Estimate,
    average_tasks,
    estimate_differences,
    estimate_scores,
    score_systems,
)
from analysis.gains.task_resampling import resample_tasks
from analysis.levels import DRAWS
from analysis.scores.predictions import Predictions, collect_predictions
from hmnet.folder.freshness import Sources, deriving, note_files, note_runs, note_study
from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import PreparedStudy, describe_study
from hmnet.jobs.schedule import raise_failures
from hmnet.jobs.workers import Workers
from hmnet.runs.store import RunStore
from hmnet.storage.documents import to_plain
from hmnet.storage.tables import write_table
from hmnet.study.hierarchy import Groups
from hmnet.study.metrics import list_averaged
from hmnet.study.stages import write_stages
from relevance.matrices.matrix import RelevanceMatrix
from relevance.systems import large_tasks
from relevance.systems.best_epochs import choose_all_epochs
from relevance.systems.comparison_format import COMPARISON, COSTS, REFERENCE_SYSTEMS, SINGLE
from relevance.systems.systems import (
    System,
    plan_comparison,
    plan_system,
    tabulate_comparison,
    train_systems,
)
from relevance.systems.training_cost import add_costs


@dataclass(frozen=True)
class Judging:
    """How systems are judged.

    Attributes:
        draws: bootstrap draws.
        resample_tasks: whether averages have an interval over tasks like these, too.
    """

    draws: int = DRAWS
    resample_tasks: bool = False


JUDGING = Judging()


def compare_systems(
    output: Output,
    prepared: PreparedStudy,
    systems: Sequence[System],
    workers: Workers,
    judging: Judging = JUDGING,
) -> pd.DataFrame:
    """Train the systems where that is not done yet; write `compare.parquet` with intervals.

    Returns:
        The table: rows of single seeds as `relevance.systems.systems.tabulate_comparison` describes
        them, and for each system and task a row without a seed, the mean over seeds. Those have
        the 95 % interval in `ci_low` and `ci_high`; `vs_single`, `vs_single_low`, `vs_single_high`
        (and the same with `multi`): the difference to single-task and to multi-task
        training, a fraction; `negative_transfer`: whether the interval of `vs_single` is
        below zero. Averages have `vs_single_tasks_low`, `vs_single_tasks_high` (and the same with
        `multi`) where tasks are resampled. All rows have what the system took to train
        (`relevance.systems.training_cost`).

    Raises:
        RunsFailedError: if runs failed, after the table of the others is written.
    """
    summary = train_systems(output, prepared, systems, workers)
    sources = _find_sources(output, prepared, systems)
    systems = choose_all_epochs(prepared, systems, output.runs)
    table = measure_systems(prepared, systems, output.runs, judging)
    provenance = {
        **describe_study(prepared),
        **to_plain(judging),
        "large_tasks": large_tasks.list_large(prepared),
        "systems": [to_plain_system(system) for system in systems],
    }
    with deriving(sources):
        write_table(output.compare, table, COMPARISON.schema, provenance)
    raise_failures(summary)
    return table


def _find_sources(output: Output, prepared: PreparedStudy, systems: Sequence[System]) -> Sources:
    specs = [job.spec for job in plan_comparison(prepared, systems)]
    return Sources(
        "hmnet compare",
        note_study(output, prepared.study),
        note_files(output, *_list_files(output, systems)),
        note_runs(output, {spec.run_id for spec in specs if output.runs.is_done(spec)}),
    )


def _list_files(output: Output, systems: Sequence[System]) -> Iterator[Path]:
    """Yield the files of the folder that the systems' groups were made from."""
    used = [system.groups for system in systems if system.groups is not None]
    matrices = {groups.origin.get("matrix") for groups in used}
    for path in (output.vocab, output.pairwise):
        if path.exists() and RelevanceMatrix.read(path).identity in matrices:
            yield path
    if output.groups.exists() and Groups.read(output.groups) in used:
        yield output.groups


def measure_systems(
    prepared: PreparedStudy,
    systems: Sequence[System],
    store: RunStore,
    judging: Judging = JUDGING,
) -> pd.DataFrame:
    """Return the table of `compare_systems` from the runs that are done.

    Args:
        systems: with their numbers of epochs chosen.
    """
    large = large_tasks.list_large(prepared)
    large = [] if len(large) == len(prepared.data) else large
    table = tabulate_comparison(prepared, systems, store, large)
    table = add_costs(table, prepared, systems, store)
    return add_intervals(table, read_systems(prepared, systems, store), judging, large)


def average_scores(table: pd.DataFrame) -> dict[str, float]:
    """Return each system's average over tasks, its mean over seeds, from a table of systems."""
    seeds = table[(table["task"] == AVERAGE) & table["seed"].notna()]
    averages = seeds.groupby("system", sort=False)["score"].mean()
    return {str(name): float(score) for name, score in averages.items()}


def to_plain_system(system: System) -> dict[str, object]:
    """Return what defines a system, for a table's provenance."""
    return {
        "name": system.name,
        "hierarchy": None if system.hierarchy is None else str(system.hierarchy),
        "groups": None if system.groups is None else to_plain(system.groups)["groups"],
        "duplicate": system.duplicate,
        **({"stages": write_stages(system.stages)} if system.stages else {}),
        **({"training": to_plain(system.training)} if system.training else {}),
        **({"epochs": list(system.epochs)} if system.epochs else {}),
        **({"chosen_epochs": dict(system.chosen)} if system.chosen else {}),
    }


def read_systems(
    prepared: PreparedStudy, systems: Sequence[System], store: RunStore
) -> dict[str, Predictions]:
    """Return task to the dev predictions of all systems' finished runs, single-task ones first.

    A task without a finished single-task run is left out.
    """
    frames: dict[str, dict[str, dict[int, pd.DataFrame]]] = {}
    for system in systems:
        for seed in prepared.study.seeds:
            for job in plan_system(prepared, system, seed):
                if not store.is_done(job.spec):
                    continue
                for name in job.spec.names:
                    runs = frames.setdefault(name, {}).setdefault(system.name, {})
                    runs[seed] = store.predictions(job.spec, name)
    return {
        name: collect_predictions(task, found.pop(SINGLE), found)
        for name, task in prepared.study.tasks.items()
        if SINGLE in (found := frames.get(name, {}))
    }


def add_intervals(
    table: pd.DataFrame,
    predictions: Mapping[str, Predictions],
    judging: Judging = JUDGING,
    large: Sequence[str] = (),
) -> pd.DataFrame:
    """Return a table of seeds with rows of means, their intervals and differences added."""
    scored = score_systems(predictions, SINGLE, judging.draws)
    counted = list_averaged({task: found.metric for task, found in predictions.items()})
    averages = {AVERAGE: set(counted), LARGE_AVERAGE: set(large)}
    if set(predictions) != set(table["task"]) - set(AVERAGES):
        scored.pop(AVERAGE, None)  # it would be over fewer tasks than the table's
    if large and set(large) <= set(predictions):
        scored[LARGE_AVERAGE] = average_tasks(scored, large)
    estimates = {
        "": estimate_scores(scored),
        **{
            start: estimate_differences(scored, other) for start, other in REFERENCE_SYSTEMS.items()
        },
    }
    counts = table.groupby(["system", "task"], sort=False)[_list_counts(table)].mean()
    rows = [
        {**_to_columns(estimates, task, system), **counts.loc[(system, task)].to_dict()}
        for system, task in counts.index
        if (task, system) in estimates[""]
    ]
    added = [f"{start}{end}" for start in REFERENCE_SYSTEMS for end in ("", "_low", "_high")]
    if judging.resample_tasks:
        rows = [{**row, **_widen(estimates, row, averages)} for row in rows]
        added += [f"{start}_tasks{end}" for start in REFERENCE_SYSTEMS for end in ("_low", "_high")]
    whole = pd.DataFrame([*table.to_dict("records"), *rows], columns=[*table.columns, *added])
    return whole.assign(negative_transfer=whole["vs_single_high"] < 0)


def _list_counts(table: pd.DataFrame) -> list[str]:
    """Return the columns of counts that a table has."""
    counts = ("params_activated", "params_overall", *COSTS)
    return [name for name in counts if name in table.columns]


def _widen(
    estimates: Mapping[str, Mapping[tuple[str, str], Estimate]],
    row: Mapping[str, object],
    averages: Mapping[str, Collection[str]],
) -> dict[str, float]:
    """Return an average's intervals over tasks like these, by column; nothing for a task."""
    task, system = str(row["task"]), str(row["system"])
    found: dict[str, float] = {}
    for start in REFERENCE_SYSTEMS:
        known = estimates[start]
        if task in averages and (task, system) in known:
            values = np.array([known[name, system].value for name in sorted(averages[task])])
            low, high = resample_tasks(values, known[task, system])
            found |= {f"{start}_tasks_low": low, f"{start}_tasks_high": high}
    return found


def _to_columns(
    estimates: Mapping[str, Mapping[tuple[str, str], Estimate]], task: str, system: str
) -> dict[str, object]:
    """Return the row of a system's mean on a task."""
    row: dict[str, object] = {"system": system, "task": task, "seed": math.nan}
    for start, found in estimates.items():
        names = (
            (start, f"{start}_low", f"{start}_high") if start else ("score", "ci_low", "ci_high")
        )
        if (task, system) in found:
            estimate = found[task, system]
            row |= dict(zip(names, (estimate.value, estimate.low, estimate.high), strict=True))
    return row
