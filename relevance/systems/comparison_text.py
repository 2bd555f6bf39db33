"""A comparison of systems as text: scores, differences, parameters and the budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from analysis.gains.paired import AVERAGE
from hmnet.jobs.prepared import PreparedStudy
from hmnet.jobs.progress_line import format_seconds
from hmnet.runs.store import RunStore
from hmnet.study.metrics import is_error
from relevance.systems import large_tasks
from relevance.systems.best_epochs import describe_epochs
from relevance.systems.budget import describe_budget, describe_judged
from relevance.systems.collapsed_results import describe_collapsed_results, find_collapsed_results
from relevance.systems.comparison_format import COSTS, REFERENCE_SYSTEMS, SINGLE
from relevance.systems.large_tasks import describe_large_tasks
from relevance.systems.parameters import describe_counts, format_count
from relevance.systems.record import describe_record
from relevance.systems.split_scores import tabulate_split_scores
from relevance.systems.systems import System


def describe_systems(
    table: pd.DataFrame, prepared: PreparedStudy, systems: Sequence[System], store: RunStore
) -> str:
    """Return the table as text: scores, differences, collapsed results, parameters, the budget."""
    order = {task: place for place, task in enumerate([*prepared.study.tasks, AVERAGE])}
    whole = table[table["seed"].isna()]
    means = whole[whole["task"].isin(order)]
    means = means.sort_values("task", key=lambda column: column.map(order), kind="stable")
    errors = [name for name, task in prepared.study.tasks.items() if is_error(task.metric)]
    parts = [
        *describe_judged(prepared),
        f"scores, % (mean of {len(prepared.study.seeds)} seeds)",
        _tabulate_scores(means, errors).to_string(),
        *_explain_errors(errors),
        *_list_split_scores(tabulate_split_scores(prepared, systems, store)),
    ]
    for start, reference in REFERENCE_SYSTEMS.items():
        shown = means[means[start].notna() & (means["system"] != SINGLE)]
        if len(shown):
            parts += ["", f"difference to {reference}, points [95 % interval]"]
            parts.append(
                _tabulate_differences(_relate_errors(shown, means, errors), start).to_string()
            )
            parts += describe_record(shown, start)
            parts += _list_over_tasks(shown[shown["task"] == AVERAGE], start)
    parts += describe_large_tasks(whole, large_tasks.list_large(prepared))
    parts += ["", *describe_epochs(systems), _explain_marks(means)]
    if len(prepared.study.seeds) == 1:
        parts.append("one seed: the intervals hold for these very runs, without the noise of seeds")
    collapsed = find_collapsed_results(prepared, systems, store)
    if collapsed:
        parts.append(describe_collapsed_results(collapsed, prepared, systems))
    parts += ["", describe_counts(prepared, systems)]
    return "\n".join([*parts, "", describe_budget(prepared, systems)])


def _list_split_scores(scores: pd.DataFrame) -> list[str]:
    """Return the scores of single dev splits under a title; nothing without such tasks."""
    if scores.empty:
        return []
    return ["", "dev splits by themselves, % (the paper averages rows)", _show(scores).to_string()]


def _list_over_tasks(averages: pd.DataFrame, start: str) -> list[str]:
    """Return each system's average with its interval over tasks like these, where there is one."""
    if f"{start}_tasks_low" not in averages:
        return []
    ends = (start, f"{start}_tasks_low", f"{start}_tasks_high")
    shown = [
        f"{row['system']} {value:+.1f} [{low:+.1f}, {high:+.1f}]"
        for _, row in averages.iterrows()
        for value, low, high in [[100 * float(row[name]) for name in ends]]
    ]
    return [f"on average over tasks like these (tasks resampled too): {', '.join(shown)}"]


def _show(scores: pd.DataFrame, errors: Sequence[str] = ()) -> pd.DataFrame:
    """Return scores in percent, errors in their own unit; a row per task."""
    text = scores.map(lambda value: "" if math.isnan(value) else f"{100 * value:.1f}")
    own = scores.map(lambda value: "" if math.isnan(value) else f"{-value:.3g}")
    is_lower = scores.index.isin(list(errors))
    return pd.concat([text[~is_lower], own[is_lower]]).loc[scores.index]


def _explain_errors(errors: Sequence[str]) -> list[str]:
    if not errors:
        return []
    return [
        f"errors, in their own unit, lower is better: {', '.join(errors)}; they are no part of the "
        "average, and differences are in percent of the single-task error, + where it is lower"
    ]


def _relate_errors(shown: pd.DataFrame, means: pd.DataFrame, errors: Sequence[str]) -> pd.DataFrame:
    """Return rows with their differences in shares of the single-task error, where it is one."""
    single = means[means["system"] == SINGLE].set_index("task")["score"].abs()
    is_lower = shown["task"].isin(list(errors))
    base = shown["task"].map(single).where(is_lower, 1.0)
    columns = [f"{start}{end}" for start in REFERENCE_SYSTEMS for end in ("", "_low", "_high")]
    return shown.assign(**{name: shown[name] / base for name in columns})


def _explain_marks(means: pd.DataFrame) -> str:
    shown = means.loc[means["system"] != SINGLE, list(REFERENCE_SYSTEMS)]
    count = int(shown.notna().to_numpy().sum())
    return (
        "*: above zero beyond noise; !: below (to single-task: negative transfer). Each interval "
        f"is by itself: of {count} about {count / 20:.0f} would leave zero out by chance."
    )


def _tabulate_scores(means: pd.DataFrame, errors: Sequence[str]) -> pd.DataFrame:
    systems = list(dict.fromkeys(means["system"]))
    wide = means.pivot(index="task", columns="system", values="score")
    wide = wide.reindex(index=list(dict.fromkeys(means["task"])), columns=systems)
    shown = _show(wide, errors)
    counts = means.groupby("system")[["params_activated", "params_overall"]].max()
    for name in ("activated", "overall"):
        column = counts[f"params_{name}"].reindex(systems)
        shown.loc[f"parameters {name}"] = ["" if math.isnan(n) else format_count(n) for n in column]
    costs = means.groupby("system")[[name for name in COSTS if name in means]].mean()
    for name, (title, show) in _COST_ROWS.items():
        if name in costs and (costs[name] > 0).any():
            shown.loc[title] = ["" if math.isnan(n) else show(n) for n in costs[name][systems]]
    return shown.rename_axis(index=None, columns=None)


_COST_ROWS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "steps": ("steps, one seed", lambda steps: f"{steps:,.0f}"),
    "steps_beside": ("steps beside", lambda steps: f"{steps:,.0f}"),
    "seconds": ("training time", format_seconds),
    "seconds_beside": ("time beside", format_seconds),
}
"""What a system took, with one seed on one worker; beside: teachers, numbers of epochs tried."""


def _tabulate_differences(means: pd.DataFrame, start: str) -> pd.DataFrame:
    shown = means.assign(text=[_show_difference(row, start) for _, row in means.iterrows()])
    wide = shown.pivot(index="task", columns="system", values="text")
    order = [list(dict.fromkeys(shown[name])) for name in ("task", "system")]
    ordered = wide.reindex(index=order[0], columns=order[1]).fillna("")
    return ordered.rename_axis(index=None, columns=None)


def _show_difference(row: pd.Series, start: str) -> str:
    value, low, high = (100 * float(row[name]) for name in (start, f"{start}_low", f"{start}_high"))
    mark = "!" if high < 0 else "*" if low > 0 else " "
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]{mark}"
