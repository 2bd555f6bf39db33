"""All systems on a study's tasks, trained, compared and told (Table 1): `hmnet compare`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from analysis.paired import (
    AVERAGE,
    DRAWS,
    Estimate,
    estimate_differences,
    estimate_scores,
    score_systems,
)
from analysis.predictions import Predictions, collect_predictions
from hmnet.comparison import (
    COMPARISON_SCHEMA,
    MULTI,
    SINGLE,
    System,
    list_systems,
    plan_system,
    tabulate_comparison,
    train_systems,
)
from hmnet.counts import PAPER_COUNTS, count_parameters
from hmnet.errors import raise_problems
from hmnet.hierarchy import Groups, HierarchySpec
from hmnet.jobs import Workers, raise_failures
from hmnet.outputs import Output
from hmnet.prepared import PreparedStudy
from hmnet.runs import RunStore
from hmnet.sampler import count_batches
from hmnet.storage import to_plain, write_table
from hmnet.study import Study
from hmnet.tasks import NAME_PATTERN
from relevance.grouping import find_groupings
from relevance.pairwise import describe_study

REFERENCES = {"vs_single": SINGLE, "vs_multi": MULTI}
"""Start of a column's name to the system that differences are taken to."""


def choose_systems(
    output: Output,
    prepared: PreparedStudy,
    *,
    groups: Sequence[str] = (),
    k: int | None = None,
    hierarchy: str | None = None,
    skillnet: bool = True,
    duplicate: str = "layer",
) -> list[System]:
    """Return the systems to compare, from the options of the command line.

    Args:
        groups: NAME=FILE of each grouping; none for those that are at hand
            (`relevance.grouping.find_groupings`, which `k` is for).
        duplicate: `layer`, `ffn`, or both separated by a comma.

    Raises:
        InputError: with every option that does not fit.
    """
    duplicates = [name.strip() for name in duplicate.split(",")]
    raise_problems(
        f"Parameter `duplicate` should be layer, ffn or both. Found `{name}`."
        for name in duplicates
        if name not in ("layer", "ffn")
    )
    layers = None if hierarchy is None else HierarchySpec.parse(hierarchy)
    if layers is not None:
        layers.check_depth(prepared.depth)
    found = choose_groupings(output, prepared.study, groups, k)
    return list_systems(prepared, found, layers, skillnet=skillnet, duplicates=duplicates)  # type: ignore[arg-type]


def choose_groupings(
    output: Output, study: Study, given: Sequence[str], k: int | None
) -> dict[str, Groups]:
    """Return the groupings that are given, else those at hand."""
    return read_groupings(given, study) if given else find_groupings(output, study, k)


def read_groupings(given: Sequence[str], study: Study) -> dict[str, Groups]:
    """Read groupings given as NAME=FILE.

    Raises:
        InputError: if an entry has another form, or its groups do not hold the study's tasks.
    """
    parts = [text.partition("=") for text in given]
    raise_problems(
        f"Parameter `groups` should be NAME=FILE, such as mine=groups.json. Found `{text}`."
        for text, (name, _, file) in zip(given, parts, strict=True)
        if not (NAME_PATTERN.fullmatch(name) and file)
    )
    found = {name: Groups.read(Path(file)) for name, _, file in parts}
    for name, groups in found.items():
        groups.check_tasks(study.tasks, name)
    return found


def compare_systems(
    output: Output,
    prepared: PreparedStudy,
    systems: Sequence[System],
    workers: Workers,
    draws: int = DRAWS,
) -> pd.DataFrame:
    """Train the systems where that is not done yet; write `compare.parquet` with intervals.

    Returns:
        The table: rows of single seeds as `hmnet.comparison.tabulate_comparison` describes them,
        and for each system and task a row without a seed, the mean over seeds. Those have the 95 %
        interval in `ci_low` and `ci_high`; `vs_single`, `vs_single_low`, `vs_single_high` (and the
        same with `multi`): the difference to single-task and to multi-task training, a fraction;
        `negative_transfer`: whether the interval of `vs_single` is below zero.

    Raises:
        RunsFailedError: if runs failed, after the table of the others is written.
    """
    summary = train_systems(output, prepared, systems, workers)
    table = tabulate_comparison(prepared, systems, prepared.study.seeds, output.runs)
    table = add_intervals(table, read_systems(prepared, systems, output.runs), draws)
    provenance = {
        **describe_study(prepared),
        "draws": draws,
        "systems": [to_plain_system(system) for system in systems],
    }
    write_table(output.compare, table, COMPARISON_SCHEMA, provenance)
    raise_failures(summary)
    return table


def to_plain_system(system: System) -> dict[str, object]:
    """Return what defines a system, for a table's provenance."""
    return {
        "name": system.name,
        "hierarchy": None if system.hierarchy is None else str(system.hierarchy),
        "groups": None if system.groups is None else to_plain(system.groups)["groups"],
        "duplicate": system.duplicate,
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
    table: pd.DataFrame, predictions: Mapping[str, Predictions], draws: int = DRAWS
) -> pd.DataFrame:
    """Return a table of seeds with rows of means, their intervals and differences added."""
    scored = score_systems(predictions, SINGLE, draws)
    if set(predictions) != set(table["task"]) - {AVERAGE}:
        scored.pop(AVERAGE, None)  # it would be over fewer tasks than the table's
    scores = estimate_scores(scored)
    differences = {
        start: estimate_differences(scored, reference) for start, reference in REFERENCES.items()
    }
    keys = ["system", "task"]
    counts = table.groupby(keys, sort=False)[["params_activated", "params_overall"]].max()
    rows = [
        {
            "system": system,
            "task": task,
            "seed": math.nan,
            **_to_columns("", scores.get((task, system))),
            **counts.loc[(system, task)].to_dict(),
            **{
                key: value
                for start, found in differences.items()
                for key, value in _to_columns(start, found.get((task, system))).items()
            },
        }
        for system, task in counts.index
        if (task, system) in scores
    ]
    whole = pd.DataFrame([*table.to_dict("records"), *rows], columns=[*table.columns, *_ADDED])
    return whole.assign(negative_transfer=whole["vs_single_high"] < 0)


_ADDED = [f"{start}{end}" for start in REFERENCES for end in ("", "_low", "_high")]


def _to_columns(start: str, found: Estimate | None) -> dict[str, float]:
    value, low, high = (found.value, found.low, found.high) if found else (math.nan,) * 3
    if not start:
        return {"score": value, "ci_low": low, "ci_high": high}
    return {start: value, f"{start}_low": low, f"{start}_high": high}


def describe_comparison(table: pd.DataFrame, prepared: PreparedStudy) -> str:
    """Return the table as text: scores, averages, parameters, differences and the budget."""
    means = table[table["seed"].isna()]
    parts = [
        f"scores, % (mean of {len(prepared.study.seeds)} seeds)",
        _tabulate_scores(means).to_string(),
    ]
    for start, reference in REFERENCES.items():
        shown = means[means[start].notna()]
        if len(shown):
            parts += ["", f"difference to {reference}, points [95 % interval]"]
            parts.append(_tabulate_differences(shown, start).to_string())
    parts += ["", "*: beyond noise; !: negative transfer, the interval is below zero"]
    if len(prepared.study.seeds) == 1:
        parts.append("one seed: the intervals hold for these very runs, without the noise of seeds")
    return "\n".join([*parts, describe_budget(prepared)])


def _tabulate_scores(means: pd.DataFrame) -> pd.DataFrame:
    systems = list(dict.fromkeys(means["system"]))
    wide = means.pivot(index="task", columns="system", values="score")
    wide = wide.reindex(index=list(dict.fromkeys(means["task"])), columns=systems)
    shown = wide.map(lambda value: "" if math.isnan(value) else f"{100 * value:.1f}")
    counts = means.groupby("system")[["params_activated", "params_overall"]].max()
    for name in ("activated", "overall"):
        column = counts[f"params_{name}"].reindex(systems)
        shown.loc[f"parameters {name}"] = [_to_millions(count) for count in column]
    return shown.rename_axis(index=None, columns=None)


def _to_millions(count: float) -> str:
    return "" if math.isnan(count) else f"{count / 1e6:,.1f}M"


def _tabulate_differences(means: pd.DataFrame, start: str) -> pd.DataFrame:
    shown = means.assign(text=[_show_difference(row, start) for _, row in means.iterrows()])
    wide = shown.pivot(index="task", columns="system", values="text")
    order = [list(dict.fromkeys(shown[name])) for name in ("task", "system")]
    return wide.reindex(index=order[0], columns=order[1]).rename_axis(index=None, columns=None)


def _show_difference(row: pd.Series, start: str) -> str:
    value, low, high = (100 * float(row[name]) for name in (start, f"{start}_low", f"{start}_high"))
    mark = "!" if high < 0 else "*" if low > 0 else " "
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]{mark}"


def describe_budget(prepared: PreparedStudy) -> str:
    """Return what every system was given: rows, epochs and steps."""
    settings = prepared.study.training
    sizes = {name: len(data.train) for name, data in prepared.data.items()}
    steps = settings.epochs * sum(count_batches(sizes, settings).values())
    return (
        f"equal budget: every system is trained for {settings.epochs} epochs over the same "
        f"{sum(sizes.values()):,} rows of {len(sizes)} tasks, {steps:,} steps of at most "
        f"{settings.batch_size} rows, with the same seeds, batches and heads"
    )


def print_counts(
    prepared: PreparedStudy, systems: Sequence[System], say: Callable[[str], None] = print
) -> None:
    """Print each system's parameters, from the encoder's shapes, beside the paper's."""
    rows = []
    for system in systems:
        jobs = plan_system(prepared, system, prepared.study.seeds[0])
        counts = [count_parameters(job.spec) for job in jobs]
        rows.append(
            {
                "system": system.name,
                "activated": _to_millions(max(found["activated"] for found in counts)),
                "overall": _to_millions(sum(found["overall"] for found in counts)),
                "groups": len(system.groups.groups) if system.groups else "",
                "paper (bert-base)": PAPER_COUNTS.get(system.name.split("-")[0], "")
                or PAPER_COUNTS.get(system.name, ""),
            }
        )
    say(pd.DataFrame(rows).to_string(index=False))
    say(describe_budget(prepared))
