"""What measures are worth, in lines for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from relevance.agreement.yardstick import Yardstick


def describe_agreement(table: pd.DataFrame, yardstick: Yardstick) -> Iterator[str]:
    """Yield a line per guess, the cheapest first, and how they are to be read."""
    noise = "" if yardstick.is_noise_known else "; how noisy the gains are is not known"
    yield (
        f"what each measure tells of the gains of {len(yardstick.matrix.tasks)} tasks, and its "
        f"cost as a share of the sweep (percent; regrets and gains in points){noise}"
    )
    yield format_agreement(table)
    if yardstick.reliability is not None:
        yield (
            f"reliability of the gains: {yardstick.reliability:.2f}; rho has its noise divided out,"
            " regrets and gains are those expected of the true gains, where that can be said"
        )
    yield (
        "rho: Spearman over a target's sources. regret: what the best source of the first k has "
        "less than the best of all. gain: of a task in the groups that it would give; share: of "
        f"the best groups' ({yardstick.groups} groups, whose number likenesses are told)"
    )


def format_agreement(table: pd.DataFrame) -> str:
    """Return the table as text."""
    rows = table.sort_values(["cost_frac", "spearman"], ascending=[True, False], kind="stable")
    shown = pd.DataFrame(
        {
            "": rows["name"],
            "cost": [_percent(each) for each in rows["cost_frac"]],
            "rho": [_cell(row, "spearman", 1) for _, row in rows.iterrows()],
            "regret@1": [_cell(row, "regret1", 100) for _, row in rows.iterrows()],
            "regret@3": [_cell(row, "regret3", 100) for _, row in rows.iterrows()],
            "gain": [_cell(row, "gain", 100) for _, row in rows.iterrows()],
            "share": [_percent(each) for each in rows["gain_frac"]],
        }
    )
    return str(shown.to_string(index=False))


def _cell(row: pd.Series, name: str, scale: int) -> str:
    """Return a figure as expected of the truth where that is known, with its interval."""
    value = row[f"{name}_true"]
    value = row[name] if math.isnan(value) else value
    if math.isnan(value):
        return "-"
    low, high = (scale * row[f"{name}_{end}"] for end in ("low", "high"))
    return f"{scale * value:.2f} [{low:.2f}, {high:.2f}]"


def _percent(value: float) -> str:
    return "?" if math.isnan(value) else f"{100 * value:.0f}"
