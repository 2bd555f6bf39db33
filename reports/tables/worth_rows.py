"""What each cheap measure is worth, as rows of the page."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from reports.style.formatting import format_number


@dataclass(frozen=True)
class WorthRow:
    """A measure, design, screen or baseline.

    Attributes:
        name, kind: as the command calls it.
        cells: value to sort by and text of cost, correlation, regrets, gain and its share.
    """

    name: str
    kind: str
    cells: tuple[tuple[float, str], ...]


def list_worth(table: pd.DataFrame | None) -> list[WorthRow]:
    """Return a row per guess, the cheapest first; layers of measures are left out."""
    if table is None:
        return []
    rows = table[table["kind"] != "layer"]
    rows = rows.sort_values(["cost_frac", "spearman"], ascending=[True, False], kind="stable")
    return [_to_row(row) for _, row in rows.iterrows()]


def _to_row(row: pd.Series) -> WorthRow:
    cells = (
        _show(row["cost_frac"], 100, 0),
        _figure(row, "spearman", 1, 2),
        *(_figure(row, name, 100, 1) for name in ("regret1", "regret3", "gain")),
        _show(row["gain_frac"], 100, 0),
    )
    return WorthRow(str(row["name"]), str(row["kind"]), cells)


def _show(value: float, scale: int, digits: int) -> tuple[float, str]:
    return value, "?" if math.isnan(value) else format_number(scale * value, digits)


def _figure(row: pd.Series, name: str, scale: int, digits: int) -> tuple[float, str]:
    """Return a figure with its interval, of the true gains where that is known."""
    true = float(row[f"{name}_true"])
    value = float(row[name]) if math.isnan(true) else true
    ends = [float(row[f"{name}_{end}"]) for end in ("low", "high")]
    if math.isnan(value) or any(map(math.isnan, ends)):
        return _show(value, scale, digits)
    low, high = (format_number(scale * end, digits) for end in ends)
    return value, f"{format_number(scale * value, digits)} [{low}, {high}]"
