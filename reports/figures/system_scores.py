"""Scores of several systems per task (paper, Table 1), as distances from single-task training."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.gains.paired import AVERAGE
from relevance.systems.comparison_format import SINGLE
from reports.figures.paper_style import (
    LEAST_WIDE_IN,
    TWO_COLUMNS_IN,
    new_figure,
    strip_axes,
    styled,
)
from reports.inputs.score_table import Difference, Score, ScoreTable, label_system
from reports.style.formatting import shorten_name
from reports.style.palette import color

MARKERS = "osD^vPX*"
_SPREAD = 0.64
"""Share of a row's height over which its systems are spread."""


def draw_scores(scores: ScoreTable, width_in: float = TWO_COLUMNS_IN) -> Figure:
    """Draw each system's score on each task, in points above single-task training.

    Thin lines are 95 % intervals of the difference, a grey band that of the single-task score
    itself, where they are known. Without single-task training the scores themselves are drawn, in
    percent, and errors are not. Differences of errors are in percent of the single-task error.
    """
    has_single = SINGLE in scores.systems
    tasks = [AVERAGE, *(t for t in scores.tasks if has_single or t not in scores.errors)]
    shown = [system for system in scores.systems if system != SINGLE]
    with styled():
        figure = new_figure(width_in, 0.27 * len(tasks) + 0.8)
        axes = figure.add_subplot()
        _band_rows(axes, len(tasks))
        if has_single:
            _draw_base(axes, scores, tasks)
        for number, system in enumerate(shown):
            _draw_system(axes, scores, system, (number, len(shown)), tasks, has_single=has_single)
        _name_rows(axes, tasks)
        if has_single:
            axes.set_xlim(*_range(scores, shown, tasks))
        axes.set_xlabel(
            "points above single-task training" if has_single else "score on the dev set, %"
        )
        columns = 3 if width_in > LEAST_WIDE_IN else 2
        figure.legend(loc="outside upper left", ncols=columns, handletextpad=0.3)
    return figure


def _band_rows(axes: Axes, count: int) -> None:
    """Shade every other row, so that the eye keeps to its task."""
    for y in range(1, count, 2):
        axes.axhspan(y - 0.5, y + 0.5, color=color("wash"), linewidth=0, zorder=0)


def _name_rows(axes: Axes, tasks: Sequence[str]) -> None:
    axes.set_yticks(range(len(tasks)), [shorten_name(task, 16) for task in tasks])
    axes.set_ylim(len(tasks) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.axhline(0.5, color=color("edge"), linewidth=0.6)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    strip_axes(axes, keep="bottom")


def _draw_base(axes: Axes, scores: ScoreTable, tasks: Sequence[str]) -> None:
    """Draw single-task training: zero, and how uncertain its score is."""
    axes.axvline(0, color=color("neutral"), linewidth=1.1, label=label_system(SINGLE))
    for row, task in enumerate(tasks):
        score = scores.score(SINGLE, task)
        if score is not None and math.isfinite(score.low):
            points = 100 / scores.unit(task)
            left, width = points * (score.low - score.value), points * (score.high - score.low)
            axes.barh(row, width, left=left, height=0.8, color=color("line"), zorder=1)


def _draw_system(
    axes: Axes,
    scores: ScoreTable,
    system: str,
    place: tuple[int, int],
    tasks: Sequence[str],
    *,
    has_single: bool,
) -> None:
    number, count = place
    shade = color(f"series-{number}")
    shift = _SPREAD * ((number + 0.5) / count - 0.5)
    points = {
        row + shift: point
        for row, task in enumerate(tasks)
        if (point := _find_point(scores, system, task, has_single=has_single)) is not None
    }
    for y, point in points.items():
        if math.isfinite(point.low):
            ends = [100 * point.low, 100 * point.high]
            axes.plot(ends, [y, y], color=shade, linewidth=0.6, alpha=0.55)
    axes.plot(
        [100 * point.value for point in points.values()],
        list(points),
        MARKERS[number % len(MARKERS)],
        color=shade,
        markersize=3.6,
        label=label_system(system),
    )


def _find_point(
    scores: ScoreTable, system: str, task: str, *, has_single: bool
) -> Score | Difference | None:
    """Return a system's distance from single-task training, or else its score."""
    if has_single:
        return scores.difference(system, SINGLE, task)
    return scores.score(system, task)


def _range(scores: ScoreTable, systems: Sequence[str], tasks: Sequence[str]) -> tuple[float, float]:
    """Return the ends of an axis that shows every point; intervals may go beyond it."""
    found = [scores.difference(system, SINGLE, task) for system in systems for task in tasks]
    points = [0.0, *(100 * difference.value for difference in found if difference is not None)]
    margin = 0.35 * (max(points) - min(points)) or 1.0
    return min(points) - margin, max(points) + margin
