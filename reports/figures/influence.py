"""Figure 2 of the paper: what the others do to one task, and what it does to them."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hmnet.errors import InputError, suggest
from relevance.matrices.gain_table import Gain, tabulate_gains
from relevance.matrices.matrix import RelevanceMatrix
from reports.figures.paper_style import (
    LEAST_WIDE_IN,
    TWO_COLUMNS_IN,
    new_figure,
    strip_axes,
    styled,
)
from reports.style.formatting import shorten_name
from reports.style.palette import color


def draw_influence(matrix: RelevanceMatrix, task: str, width_in: float = TWO_COLUMNS_IN) -> Figure:
    """Draw what the other tasks do to one task (left) and what it does to them (right).

    Bars are relative gains in percent with their 95 % interval where there is one; a hollow bar
    is within noise, a hatched one belongs to a target that learned nothing alone.

    Raises:
        InputError: if the matrix does not hold the task.
    """
    if task not in matrix.tasks:
        raise InputError(
            f"Parameter `task` should be a task of the matrix. Found `{task}`."
            f"{suggest(task, matrix.tasks)}"
        )
    gains = tabulate_gains(matrix).gains
    received = {gain.source: gain for gain in gains if gain.target == task}
    given = {gain.target: gain for gain in gains if gain.source == task}
    shape = (1, 2) if width_in >= LEAST_WIDE_IN else (2, 1)
    rows = max(len(received), len(given), 2)
    with styled():
        figure = new_figure(width_in, (0.17 * rows + 0.7) * shape[0])
        panels = figure.subplots(*shape, sharex=True)
        _draw_bars(panels[0], received, f"Influence of the others on {shorten_name(task)}")
        _draw_bars(panels[1], given, f"Influence of {shorten_name(task)} on the others")
        for axes in panels if shape == (1, 2) else panels[1:]:
            axes.set_xlabel("relative gain, %")
    return figure


def _draw_bars(axes: Axes, gains: dict[str, Gain], title: str) -> None:
    rows = sorted(gains.items(), key=lambda item: (item[1].value, item[0]))
    for y, (_, gain) in enumerate(rows):
        _draw_bar(axes, y, gain)
    axes.set_yticks(range(len(rows)), [shorten_name(name, 16) for name, _ in rows])
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=color("edge"), linewidth=0.6)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.set_title(title)
    strip_axes(axes, keep="bottom")


def _draw_bar(axes: Axes, y: int, gain: Gain) -> None:
    shade = color("help" if gain.value > 0 else "hurt")
    face = shade if gain.verdict in ("beyond noise", "not tested") else "none"
    hatch = "/////" if gain.undefined else None
    axes.barh(
        y, 100 * gain.value, height=0.68, color=face, edgecolor=shade, linewidth=0.7, hatch=hatch
    )
    if math.isfinite(gain.low) and math.isfinite(gain.high):
        axes.plot([100 * gain.low, 100 * gain.high], [y, y], color=color("ink"), linewidth=0.7)
