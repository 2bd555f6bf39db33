"""Scores against how many layers tasks share (paper, Figures 3 and 4)."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.style import TWO_COLUMNS_IN, new_figure, strip_axes, styled
from reports.formatting import shorten
from reports.palette import color
from reports.sweeps import CombinationSweep, LayerSweep


def draw_shared_layers(sweep: LayerSweep, width_in: float = TWO_COLUMNS_IN) -> Figure:
    """Draw scores of a few tasks against the number of layers that they share.

    Points are means over seeds, bars the range of the seeds.
    """
    with styled():
        figure = new_figure(width_in, 0.34 * width_in + 0.5)
        panels = figure.subplots(1, len(sweep.tasks), squeeze=False)[0]
        for number, (axes, task) in enumerate(zip(panels, sweep.tasks, strict=True)):
            rows = sweep.rows[sweep.rows["task"] == task]
            _draw_line(axes, rows, "shared", number)
            axes.set_title(shorten(task))
            axes.set_xlabel("shared layers")
            axes.set_xticks(sorted(set(rows["shared"])))
        panels[0].set_ylabel("score, %")
    return figure


def _draw_line(axes: Axes, rows: pd.DataFrame, x: str, number: int, label: str = "") -> None:
    found = rows.groupby(x, sort=True)["score"].agg(["mean", "min", "max"]) * 100
    shade = color(f"series-{number}")
    axes.plot(found.index, found["mean"], "o-", color=shade, markersize=3, label=label)
    axes.vlines(found.index, found["min"], found["max"], color=shade, linewidth=0.8)
    axes.grid(axis="y")
    strip_axes(axes)


def draw_layer_combinations(sweep: CombinationSweep, width_in: float = TWO_COLUMNS_IN) -> Figure:
    """Draw the average score of each {x,y,z}, a line per grouping; multi-task is a dashed line."""
    names = list(dict.fromkeys(sweep.rows.sort_values(["shared", "hierarchy"])["hierarchy"]))
    placed = sweep.rows.assign(place=sweep.rows["hierarchy"].map(names.index))
    with styled():
        figure = new_figure(width_in, 0.34 * width_in + 0.6)
        axes = figure.add_subplot()
        for number, (grouping, rows) in enumerate(placed.groupby("grouping", sort=False)):
            _draw_line(axes, rows, "place", number, str(grouping))
        if math.isfinite(sweep.multi_task):
            level = 100 * sweep.multi_task
            axes.axhline(level, linestyle="--", color=color("neutral"), label="multi-task")
        axes.set_xticks(range(len(names)), [f"{{{name}}}" for name in names])
        axes.set_xlabel("{shared, cluster, task} layers")
        axes.set_ylabel("average score, %")
        figure.legend(loc="outside upper left", ncols=3)
    return figure
