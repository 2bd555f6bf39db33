"""The figures of a study as matplotlib figures, each by itself.

| function | shows | in the paper |
| --- | --- | --- |
| `draw_heatmap` | a relevance matrix, annotated; rows sources, columns targets | Tables 2, 3 |
| `draw_influence` | what the others do to one task, and what it does to them | Figure 2 |
| `draw_dendrogram` | how alike the tasks' rows are | appendix A |
| `draw_together` | how often resampling puts two tasks into one group | |
| `draw_scores` | scores of several systems per task | Table 1 |
| `draw_curves` | training loss per task | |
| `draw_shared_layers` | scores against the number of shared layers | Figure 3 |
| `draw_layer_combinations` | average score of each {x,y,z} and grouping | Figure 4 |
| `draw_attention` | similarity of attention maps per layer and head | Figures 5, 6 |

Widths are in inches; colours come from `reports.palette`. T stands for the number of tasks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import FuncNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter
from scipy.cluster import hierarchy as linkage_of

from hmnet.hierarchy import Groups
from relevance.matrix import RelevanceMatrix
from reports.comparison import ScoreTable, label_system
from reports.figure_style import SMALL_PT, TWO_COLUMNS_IN, new_figure, strip_axes, styled
from reports.formatting import format_number, format_percent, shorten
from reports.gains import Gain, tabulate_gains
from reports.ordering import TaskOrder, order_tasks
from reports.palette import (
    color,
    diverging_map,
    sequential_map,
)
from reports.runs import Curve
from reports.sweeps import CombinationSweep, LayerSweep

LEAST_ANNOTATED_IN = 0.27
"""Cells narrower than this carry no number."""
MARKERS = "osD^vPX*"


def _signed_root(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    return np.sign(array) * np.sqrt(np.abs(array))


def _signed_square(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    return np.sign(array) * array**2


def draw_heatmap(
    matrix: RelevanceMatrix, groups: Groups | None = None, width_in: float = TWO_COLUMNS_IN
) -> Figure:
    """Draw a relevance matrix: rows are sources, columns targets, numbers in percent.

    Gains have a diverging palette centred on zero that grows with the square root; other measures
    a sequential one from 0 to 1. Cells beyond noise (q < 0.05) have a dot.

    Args:
        groups: reorders the tasks group by group, with lines between the groups; None keeps the
            matrix' order, the paper's layout.
    """
    is_gains = matrix.measure == "pairwise"
    order = order_tasks(matrix.tasks, groups)
    wide = matrix.select(order.tasks).to_frame()
    limit = _limit(wide, is_gains)
    with styled():
        figure = new_figure(width_in, width_in * 0.93)
        axes = figure.add_subplot()
        _paint(axes, wide, limit, is_gains, width_in)
        _mark_sure(axes, matrix, order, is_gains)
        _outline_groups(axes, order)
        _name_sides(axes, order)
        _add_scale(figure, axes, limit, is_gains)
    return figure


def _limit(wide: pd.DataFrame, is_gains: bool) -> float:
    if not is_gains:
        return 1.0
    values = wide.to_numpy(np.float64, copy=True)
    np.fill_diagonal(values, np.nan)
    known = values[np.isfinite(values)]
    return float(np.abs(known).max(initial=0.0)) or 1.0


def _paint(axes: Axes, wide: pd.DataFrame, limit: float, is_gains: bool, width_in: float) -> None:
    values = wide.to_numpy(np.float64, copy=True)
    if is_gains:
        np.fill_diagonal(values, np.nan)
    cell_in = 0.8 * width_in / len(values)
    numbers = np.vectorize(lambda v: _number(v, is_gains))(values)
    sns.heatmap(
        values,
        ax=axes,
        norm=_norm(limit, is_gains),
        cmap=diverging_map() if is_gains else sequential_map(),
        annot=numbers if cell_in >= LEAST_ANNOTATED_IN else False,
        fmt="",
        annot_kws={"size": min(SMALL_PT, 17 * cell_in)},
        linewidths=0.4,
        linecolor=color("paper"),
        cbar=False,
        square=True,
        xticklabels=False,
        yticklabels=False,
    )
    axes.set_facecolor(color("wash"))
    _set_ink(axes)


def _number(value: float, is_gains: bool) -> str:
    if not math.isfinite(value):
        return ""
    return format_percent(value, 1 if is_gains else 0, signed=is_gains, unit="")


def _norm(limit: float, is_gains: bool) -> Normalize:
    if is_gains:
        return FuncNorm((_signed_root, _signed_square), vmin=-limit, vmax=limit)
    return Normalize(0, 1)


def _set_ink(axes: Axes) -> None:
    """Give the numbers in cells the palette's two inks."""
    for text in axes.texts:
        is_light = text.get_color() in ("w", "white", "#ffffff")
        text.set_color(color("paper" if is_light else "ink"))


def _mark_sure(axes: Axes, matrix: RelevanceMatrix, order: TaskOrder, is_gains: bool) -> None:
    """Put a dot into the corner of each cell that is beyond noise."""
    if not is_gains:
        return
    sure = [g for g in tabulate_gains(matrix).gains if g.verdict == "beyond noise"]
    place = {task: i for i, task in enumerate(order.tasks)}
    x = [place[gain.target] + 0.87 for gain in sure]
    y = [place[gain.source] + 0.14 for gain in sure]
    size = max(min(400 / len(order.tasks) ** 2, 4.0), 0.5)
    axes.scatter(x, y, s=size, color=color("ink"), linewidths=0)


def _outline_groups(axes: Axes, order: TaskOrder) -> None:
    for position in order.boundaries:
        axes.axhline(position, color=color("ink"), linewidth=0.9)
        axes.axvline(position, color=color("ink"), linewidth=0.9)


def _name_sides(axes: Axes, order: TaskOrder) -> None:
    """Write the tasks' names along both sides; the columns above, as in the paper."""
    names = [shorten(task, 16) for task in order.tasks]
    middles = np.arange(len(names)) + 0.5
    size = min(SMALL_PT, 130 / len(names))
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xticks(middles, names, rotation=90, fontsize=size)
    axes.set_yticks(middles, names, rotation=0, fontsize=size)
    axes.tick_params(length=0)
    axes.set_xlabel("target")
    axes.set_ylabel("source")


def _add_scale(figure: Figure, axes: Axes, limit: float, is_gains: bool) -> None:
    ticks = [-limit, -limit / 4, 0, limit / 4, limit] if is_gains else [0, 0.25, 0.5, 0.75, 1]
    mesh = axes.collections[0]
    bar = figure.colorbar(mesh, ax=axes, fraction=0.03, pad=0.02, aspect=32, ticks=ticks)
    digits = 0 if not is_gains or limit >= 0.2 else 1
    bar.ax.set_yticklabels([format_percent(tick, digits, signed=is_gains) for tick in ticks])
    bar.ax.tick_params(length=2)
    bar.set_label("relative gain of the target" if is_gains else "share of the target's vocabulary")
    bar.outline.set_visible(False)


def draw_influence(matrix: RelevanceMatrix, task: str, width_in: float = TWO_COLUMNS_IN) -> Figure:
    """Draw what the other tasks do to one task (left) and what it does to them (right).

    Bars are relative gains in percent with their 95 % interval where there is one; a hollow bar
    is within noise.
    """
    gains = tabulate_gains(matrix).gains
    sides = (
        (f"Influence of the others on {shorten(task)}", [g for g in gains if g.target == task]),
        (f"Influence of {shorten(task)} on the others", [g for g in gains if g.source == task]),
    )
    rows = max(len(found) for _, found in sides)
    with styled():
        stacked = width_in < 5
        shape = (2, 1) if stacked else (1, 2)
        height = (0.17 * rows + 0.7) * shape[0]
        figure = new_figure(width_in, height)
        panels = figure.subplots(*shape, sharex=True)
        for axes, (title, found), side in zip(panels, sides, ("source", "target"), strict=True):
            _draw_bars(axes, found, side)
            axes.set_title(title)
        panels[-1].set_xlabel("relative gain, %")
        if not stacked:
            panels[0].set_xlabel("relative gain, %")
    return figure


def _draw_bars(axes: Axes, gains: Iterable[Gain], side: str) -> None:
    rows = sorted(gains, key=lambda gain: gain.value)
    for y, gain in enumerate(rows):
        shade = color("help" if gain.value > 0 else "hurt")
        face = "none" if gain.verdict == "within noise" else shade
        axes.barh(y, 100 * gain.value, height=0.68, color=face, edgecolor=shade, linewidth=0.7)
        if math.isfinite(gain.low) and math.isfinite(gain.high):
            ends = [100 * gain.low, 100 * gain.high]
            axes.plot(ends, [y, y], color=color("ink"), linewidth=0.7)
    names = [shorten(gain.source if side == "source" else gain.target, 16) for gain in rows]
    axes.set_yticks(range(len(rows)), names)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=color("edge"), linewidth=0.6)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    strip_axes(axes, keep="bottom")


def draw_dendrogram(
    matrix: RelevanceMatrix, groups: Groups | None = None, width_in: float = TWO_COLUMNS_IN
) -> Figure:
    """Draw how alike the tasks' rows are: average linkage of Euclidean distances.

    These are the features that k-means groups. Names carry the number of their group.

    Args:
        matrix: values without gaps; a missing one counts as its column's mean.
    """
    wide = matrix.to_frame()
    features = wide.fillna(wide.mean()).fillna(0.0).to_numpy(np.float64)
    tree = linkage_of.linkage(features, "average", optimal_ordering=True)
    with styled():
        figure = new_figure(width_in, 0.17 * len(wide) + 0.65)
        axes = figure.add_subplot()
        drawn = linkage_of.dendrogram(
            tree,
            ax=axes,
            orientation="left",
            color_threshold=0,
            above_threshold_color=color("edge"),
            labels=[str(task) for task in wide.index],
        )
        _name_leaves(axes, drawn["ivl"], order_tasks(matrix.tasks, groups))
        axes.set_xlabel("distance between the tasks' rows")
        strip_axes(axes, keep="bottom")
    return figure


def _name_leaves(axes: Axes, leaves: Sequence[str], order: TaskOrder) -> None:
    """Label the leaves, with a dot in the colour of each one's group."""
    axes.yaxis.tick_right()
    positions = [10 * i + 5 for i in range(len(leaves))]  # scipy's own spacing
    axes.set_yticks(positions, [shorten(name) for name in leaves])
    axes.tick_params(axis="y", length=0, pad=8)
    for y, name in zip(positions, leaves, strict=True):
        shade = color(f"series-{order.section_of(name)}")
        axes.plot([0], [y], "o", color=shade, markersize=4, clip_on=False)
    if len(order.labels) > 1:
        _add_group_key(axes, order)


def _add_group_key(axes: Axes, order: TaskOrder) -> None:
    for i, label in enumerate(order.labels):
        axes.plot([], [], "o", color=color(f"series-{i}"), markersize=4, label=name_group(label))
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=min(len(order.labels), 4), borderaxespad=0.2
    )


def name_group(label: str) -> str:
    """Return `group 1` for a number, and any other name as it is."""
    return f"group {label}" if label.isdigit() else shorten(label)


def draw_together(
    together: pd.DataFrame, groups: Groups | None = None, width_in: float = TWO_COLUMNS_IN
) -> Figure:
    """Draw how often resampling puts two tasks into one group, the groups' tasks side by side.

    Args:
        together: shares from 0 to 1, shape [T, T].
    """
    order = order_tasks([str(task) for task in together.index], groups)
    wide = together.loc[list(order.tasks), list(order.tasks)]
    cell_in = 0.8 * width_in / len(wide)
    with styled():
        figure = new_figure(width_in, width_in * 0.86)
        axes = figure.add_subplot()
        sns.heatmap(
            wide.to_numpy(np.float64),
            ax=axes,
            vmin=0,
            vmax=1,
            cmap=sequential_map(),
            annot=cell_in >= LEAST_ANNOTATED_IN,
            fmt=".2f",
            annot_kws={"size": min(SMALL_PT, 17 * cell_in)},
            linewidths=0.4,
            linecolor=color("paper"),
            cbar=False,
            square=True,
        )
        _set_ink(axes)
        _outline_groups(axes, order)
        _name_sides(axes, order)
        axes.set_xlabel("")
        axes.set_ylabel("")
    return figure


def draw_scores(scores: ScoreTable, width_in: float = TWO_COLUMNS_IN) -> Figure:
    """Draw each system's score on each task in percent, with its 95 % interval where known."""
    tasks = ["average", *scores.tasks]
    with styled():
        figure = new_figure(width_in, 0.24 * len(tasks) + 0.55 + 0.14 * len(scores.systems) / 3)
        axes = figure.add_subplot()
        _band_rows(axes, len(tasks))
        for i, system in enumerate(scores.systems):
            _draw_system(axes, scores, system, i, tasks)
        axes.set_yticks(range(len(tasks)), [shorten(task, 16) for task in tasks])
        axes.set_ylim(len(tasks) - 0.5, -0.5)
        axes.set_xlabel("score on the dev set, %")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        strip_axes(axes, keep="bottom")
        columns = 3 if width_in > 5 else 2
        figure.legend(loc="outside upper left", ncols=columns, handletextpad=0.3)
    return figure


def _band_rows(axes: Axes, count: int) -> None:
    """Shade every other row, so that the eye keeps to its task."""
    for y in range(0, count, 2):
        axes.axhspan(y - 0.5, y + 0.5, color=color("wash"), linewidth=0, zorder=0)


def _draw_system(
    axes: Axes, scores: ScoreTable, system: str, number: int, tasks: Sequence[str]
) -> None:
    shift = 0.6 * ((number + 0.5) / len(scores.systems) - 0.5)
    shade = color(f"series-{number}")
    x, y = [], []
    for row, task in enumerate(tasks):
        score = scores.score(system, task)
        if score is None:
            continue
        x.append(100 * score.value)
        y.append(row + shift)
        if math.isfinite(score.low):
            axes.plot([100 * score.low, 100 * score.high], [y[-1]] * 2, color=shade, linewidth=0.7)
    marker = MARKERS[number % len(MARKERS)]
    axes.plot(x, y, marker, color=shade, markersize=3, label=label_system(system))


def draw_curves(curves: Mapping[str, Sequence[Curve]], width_in: float = TWO_COLUMNS_IN) -> Figure:
    """Draw each task's training loss against the share of its run's steps, a panel a task."""
    columns = max(min(len(curves), round(width_in / 1.5)), 1)
    rows = math.ceil(len(curves) / columns)
    labels = list(dict.fromkeys(curve.label for found in curves.values() for curve in found))
    with styled():
        figure = new_figure(width_in, 1.05 * rows + 0.5)
        panels = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
        for axes, (task, found) in zip(panels, curves.items(), strict=False):
            for curve in found:
                _draw_curve(axes, curve, labels.index(curve.label))
            axes.set_title(shorten(task, 16))
            axes.set_xlim(0, 1)
            axes.set_ylim(bottom=0)
            axes.grid(axis="y")
            strip_axes(axes)
            axes.xaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:.0f} %"))
        for axes in panels[len(curves) :]:
            axes.set_visible(False)
        figure.supxlabel("share of the run's steps", fontsize=SMALL_PT, color=color("muted"))
        figure.supylabel("training loss", fontsize=SMALL_PT, color=color("muted"))
        _add_line_key(figure, labels)
    return figure


def _draw_curve(axes: Axes, curve: Curve, number: int) -> None:
    axes.plot(curve.progress, curve.loss, color=color(f"series-{number}"), linewidth=0.9)


def _add_line_key(figure: Figure, labels: Sequence[str]) -> None:
    handles = [
        figure.axes[0].plot([], [], color=color(f"series-{i}"), label=label)[0]
        for i, label in enumerate(labels)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=min(len(labels), 3))


def draw_shared_layers(sweep: LayerSweep, width_in: float = TWO_COLUMNS_IN) -> Figure:
    """Draw scores of a few tasks against the number of layers that they share.

    Points are means over seeds, bars the range of the seeds.
    """
    with styled():
        figure = new_figure(width_in, 0.42 * width_in + 0.4)
        panels = figure.subplots(1, len(sweep.tasks), squeeze=False)[0]
        for i, (axes, task) in enumerate(zip(panels, sweep.tasks, strict=True)):
            rows = sweep.rows[sweep.rows["task"] == task]
            _draw_line(axes, rows, "shared", i)
            axes.set_title(shorten(task))
            axes.set_xlabel("shared layers")
            axes.set_xticks(sorted(set(rows["shared"])))
        panels[0].set_ylabel("score, %")
    return figure


def _draw_line(axes: Axes, rows: pd.DataFrame, x: str, number: int, label: str = "") -> None:
    found = rows.groupby(x, sort=False)["score"].agg(["mean", "min", "max"]) * 100
    shade = color(f"series-{number}")
    axes.plot(found.index, found["mean"], "o-", color=shade, markersize=3, label=label)
    axes.vlines(found.index, found["min"], found["max"], color=shade, linewidth=0.8)
    axes.grid(axis="y")
    strip_axes(axes)


def draw_layer_combinations(sweep: CombinationSweep, width_in: float = TWO_COLUMNS_IN) -> Figure:
    """Draw the average score of each {x,y,z}, a line per grouping; multi-task is a dashed line."""
    with styled():
        figure = new_figure(width_in, 0.42 * width_in + 0.5)
        axes = figure.add_subplot()
        names = list(dict.fromkeys(sweep.rows["hierarchy"]))
        for i, (grouping, rows) in enumerate(sweep.rows.groupby("grouping", sort=False)):
            placed = rows.assign(place=[names.index(name) for name in rows["hierarchy"]])
            _draw_line(axes, placed.sort_values("place"), "place", i, str(grouping))
        if math.isfinite(sweep.multi_task):
            level = 100 * sweep.multi_task
            axes.axhline(level, linestyle="--", color=color("neutral"), label="multi-task")
        axes.set_xticks(range(len(names)), [f"{{{name}}}" for name in names])
        axes.set_xlabel("{shared, cluster, task} layers")
        axes.set_ylabel("average score, %")
        figure.legend(loc="outside upper left", ncols=2)
    return figure


def draw_attention(frame: pd.DataFrame, width_in: float = TWO_COLUMNS_IN) -> Figure:
    """Draw the similarity of attention maps per layer and head, on one scale; dark is different.

    Args:
        frame: columns `task`, `partner`, `layer`, `head`, `similarity`; a panel for each task and
            partner.
    """
    panels = list(frame.groupby(["task", "partner"], sort=False))
    columns = min(len(panels), 2)
    rows = math.ceil(len(panels) / columns)
    low = min(float(frame["similarity"].min()), 0.99)
    with styled():
        figure = new_figure(width_in, rows * width_in / columns * 0.78 + 0.3)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, ((task, partner), part) in zip(grid, panels, strict=False):
            _draw_heads(axes, part, low)
            axes.set_title(f"{shorten(str(task))}, trained with {shorten(str(partner))}")
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        bar = figure.colorbar(grid[0].collections[0], ax=list(grid), fraction=0.03, aspect=30)
        bar.set_label("cosine similarity")
        bar.outline.set_visible(False)
    return figure


def _draw_heads(axes: Axes, part: pd.DataFrame, low: float) -> None:
    wide = part.pivot(index="layer", columns="head", values="similarity")
    options: dict[str, Any] = {"linewidths": 0.3, "linecolor": color("paper"), "square": True}
    sns.heatmap(
        wide.to_numpy(np.float64),
        ax=axes,
        vmin=low,
        vmax=1,
        cmap=sequential_map().reversed(),
        cbar=False,
        **options,
    )
    for set_ticks, index in ((axes.set_xticks, wide.columns), (axes.set_yticks, wide.index)):
        places = np.arange(len(index))
        set_ticks(places + 0.5, [format_number(float(i), 0) for i in index], rotation=0)
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.set_xlabel("head")
    axes.set_ylabel("layer")
