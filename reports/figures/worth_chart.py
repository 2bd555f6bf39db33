"""What each cheap measure tells of the gains, beside what it costs."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.paper_style import (
    LEAST_WIDE_IN,
    TWO_COLUMNS_IN,
    new_figure,
    strip_axes,
    styled,
)
from reports.style.formatting import shorten_name
from reports.style.palette import color

_PANELS = (
    ("spearman", 1, "rank correlation with the gains"),
    ("regret1", 100, "regret of the first source, points"),
)
_SHADES = {"baseline": "neutral", "sweep": "help", "measure": "series-0"}
_MARKERS = {"baseline": "s", "sweep": "D", "design": "^", "screen": "v"}


def draw_worth(frame: pd.DataFrame, width_in: float = TWO_COLUMNS_IN) -> Figure:
    """Draw correlation and regret of each measure with their intervals, the cheapest on top.

    Layers of measures are left out.

    Args:
        frame: the columns of `relevance.agreement.agreement_format.AGREEMENT`.
    """
    rows = frame[frame["kind"] != "layer"]
    rows = rows.sort_values(["cost_frac", "spearman"], ascending=[True, False], kind="stable")
    shape = (1, 2) if width_in >= LEAST_WIDE_IN else (2, 1)
    with styled():
        figure = new_figure(width_in, shape[0] * (0.2 * len(rows) + 0.5))
        panels = figure.subplots(*shape, squeeze=False).ravel()
        for number, (axes, panel) in enumerate(zip(panels, _PANELS, strict=True)):
            _draw_panel(axes, rows, *panel)
            _name_guesses(axes, rows, is_named=number == 0 or shape[0] == 2)
    return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame, name: str, scale: int, label: str) -> None:
    for y, (_, row) in enumerate(rows.iterrows()):
        value = row[name] if math.isnan(row[f"{name}_true"]) else row[f"{name}_true"]
        shade = color(_SHADES.get(str(row["kind"]), "series-1"))
        ends = [scale * row[f"{name}_{end}"] for end in ("low", "high")]
        axes.plot(ends, [y, y], "-", color=shade, linewidth=1)
        axes.plot(scale * value, y, _MARKERS.get(str(row["kind"]), "o"), color=shade, ms=4)
    axes.axvline(0, color=color("edge"), linewidth=0.6)
    axes.set_xlabel(label)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    strip_axes(axes)


def _name_guesses(axes: Axes, rows: pd.DataFrame, *, is_named: bool) -> None:
    texts = [
        f"{shorten_name(str(row['name']), 24)} ({describe_cost(row['cost_frac'])})"
        for _, row in rows.iterrows()
    ]
    axes.set_yticks(np.arange(len(rows)), texts if is_named else [""] * len(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def describe_cost(share: float) -> str:
    """Return a cost as a share of the sweep, in words."""
    if math.isnan(share):
        return "cost unknown"
    return "no runs" if share == 0 else f"{100 * share:.0f} % of the sweep"
