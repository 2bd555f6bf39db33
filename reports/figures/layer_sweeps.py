"""Scores against how many layers tasks share (paper, Figures 3 and 4)."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from relevance.systems.comparison_format import MULTI
from reports.figures.paper_style import (
    LEAST_WIDE_IN,
    TWO_COLUMNS_IN,
    new_figure,
    strip_axes,
    styled,
)
from reports.inputs.hierarchy_sweeps import CombinationSweep, LayerSweep
from reports.style.formatting import shorten_name
from reports.style.palette import color

_NAME_IN = 0.55
"""How wide a place an {x,y,z} needs below an axis; where there is less, it is turned."""
_MOST_SIDE_BY_SIDE = 3
"""More tasks than this get small panels in several rows, after one of their average."""


def draw_shared_layers(sweep: LayerSweep, width_in: float = TWO_COLUMNS_IN) -> Figure:
    """Draw scores against the number of shared layers, a panel per task.

    Points are means over seeds, bars the range of the seeds. The first panel of many is the
    average over tasks.
    """
    panels = {
        f"{shorten_name(task, 18)}{' (error)' if task in sweep.errors else ''}": sweep.show(task)
        for task in sweep.tasks
    }
    is_small = len(panels) > _MOST_SIDE_BY_SIDE
    if is_small:
        average = sweep.average.assign(score=100 * sweep.average["score"])
        counted = len(panels) - len(sweep.errors) or len(panels)
        panels = {f"average of {counted} tasks": average, **panels}
    columns = _count_columns(width_in) if is_small else len(panels)
    rows = math.ceil(len(panels) / columns)
    with styled():
        figure = new_figure(width_in, rows * 1.3 + 0.3 if is_small else 0.34 * width_in + 0.5)
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
        for number, (axes, (title, part)) in enumerate(
            zip(grid.ravel(), panels.items(), strict=False)
        ):
            _draw_line(
                axes, part, "shared", color(f"series-{min(number, 1) if is_small else number}")
            )
            axes.set_title(title)
            axes.set_xticks(sorted(set(sweep.rows["shared"])))
            axes.tick_params(labelbottom=number + columns >= len(panels))
        for axes in grid.ravel()[len(panels) :]:
            axes.set_visible(False)
        figure.supxlabel("shared layers", fontsize="medium", color=color("muted"))
        figure.supylabel("score, %", fontsize="medium", color=color("muted"))
    return figure


def _count_columns(width_in: float) -> int:
    return 4 if width_in >= LEAST_WIDE_IN else 2


def _draw_line(
    axes: Axes, rows: pd.DataFrame, x: str, shade: str, label: str = "", shift: float = 0.0
) -> None:
    """Draw means over seeds as points on a line, and the range of the seeds as bars."""
    found = rows.groupby(x, sort=True)["score"].agg(["mean", "min", "max"])
    at = found.index + shift
    axes.plot(at, found["mean"], "o-", color=shade, markersize=3, label=label)
    axes.vlines(at, found["min"], found["max"], color=shade, linewidth=0.8)
    axes.grid(axis="y")
    strip_axes(axes)


def draw_layer_combinations(sweep: CombinationSweep, width_in: float = TWO_COLUMNS_IN) -> Figure:
    """Draw the average score of each {x,y,z}, a line per grouping; multi-task is a dashed line.

    Points are means over seeds, bars the range of the seeds.
    """
    names = sweep.hierarchies
    placed = sweep.rows.assign(place=sweep.rows["hierarchy"].map(names.index))
    groupings = list(placed.groupby("grouping", sort=False))
    with styled():
        figure = new_figure(width_in, max(0.34 * width_in + 0.6, 2.3))
        axes = figure.add_subplot()
        for number, (grouping, rows) in enumerate(groupings):
            shift = 0.06 * (number - (len(groupings) - 1) / 2)
            shade, shown = color(f"series-{number}"), rows.assign(score=100 * rows["score"])
            _draw_line(axes, shown, "place", shade, shorten_name(str(grouping)), shift)
        if math.isfinite(sweep.multi_task):
            level = 100 * sweep.multi_task
            axes.axhline(level, linestyle="--", color=color("neutral"), label=MULTI)
        turn = 90 if len(names) * _NAME_IN > width_in else 0
        axes.set_xticks(range(len(names)), [f"{{{name}}}" for name in names], rotation=turn)
        axes.set_xlim(-0.5, max(len(names), 1) - 0.5)
        axes.set_xlabel("{shared, cluster, task} layers")
        axes.set_ylabel("average score, %")
        figure.legend(loc="outside upper left", ncols=3)
    return figure
