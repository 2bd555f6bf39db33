"""A comparison of systems as text: scores, differences, parameters and the budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pandas as pd

from analysis.budget import describe_budget
from analysis.comparison import REFERENCES
from hmnet.comparison import AVERAGE, SINGLE, System, plan_system
from hmnet.counts import PAPER_COUNTS, count_parameters
from hmnet.prepared import PreparedStudy


def describe_comparison(
    table: pd.DataFrame, prepared: PreparedStudy, systems: Sequence[System]
) -> str:
    """Return the table as text: scores, averages, parameters, differences and the budget."""
    order = {task: place for place, task in enumerate([*prepared.study.tasks, AVERAGE])}
    means = table[table["seed"].isna()]
    means = means.sort_values("task", key=lambda column: column.map(order), kind="stable")
    parts = [
        f"scores, % (mean of {len(prepared.study.seeds)} seeds)",
        _tabulate_scores(means).to_string(),
    ]
    for start, reference in REFERENCES.items():
        shown = means[means[start].notna() & (means["system"] != SINGLE)]
        if len(shown):
            parts += ["", f"difference to {reference}, points [95 % interval]"]
            parts.append(_tabulate_differences(shown, start).to_string())
    parts += ["", _explain_marks(means)]
    if len(prepared.study.seeds) == 1:
        parts.append("one seed: the intervals hold for these very runs, without the noise of seeds")
    return "\n".join([*parts, describe_budget(prepared, systems)])


def _explain_marks(means: pd.DataFrame) -> str:
    shown = means.loc[means["system"] != SINGLE, list(REFERENCES)]
    count = int(shown.notna().to_numpy().sum())
    return (
        "*: above zero beyond noise; !: below (to single-task: negative transfer). Each interval "
        f"is by itself: of {count} about {count / 20:.0f} would leave zero out by chance."
    )


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
    if math.isnan(count):
        return ""
    return f"{count / 1e6:,.1f}M" if count >= 1e6 else f"{count:,.0f}"


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
                "paper (bert-base)": PAPER_COUNTS[
                    "hmnet" if system.name.startswith("hmnet") else system.name
                ],
            }
        )
    say(pd.DataFrame(rows).to_string(index=False))
    say(describe_budget(prepared, systems))
