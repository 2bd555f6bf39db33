"""A relevance matrix as a picture (paper, Tables 2 and 3)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, FuncNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hmnet.study.hierarchy import Groups
from relevance.matrices.gain_table import GainTable, holds_gains, tabulate_gains
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.registry import identify_measure
from reports.figures.grid import (
    LEAST_ANNOTATED_IN,
    cell_width_in,
    name_sides,
    outline_groups,
    set_ink,
    size_numbers_pt,
)
from reports.figures.paper_style import TWO_COLUMNS_IN, new_figure, styled
from reports.style.formatting import format_percent
from reports.style.palette import (
    SIDE_STEPS,
    bin_gain,
    color,
    diverging,
    diverging_map,
    sequential_map,
    text_on,
)
from reports.tables.task_order import TaskOrder, order_tasks

Values = npt.NDArray[np.float64]


def draw_heatmap(
    matrix: RelevanceMatrix, groups: Groups | None = None, width_in: float = TWO_COLUMNS_IN
) -> Figure:
    """Draw a relevance matrix: rows are sources, columns targets, numbers in percent.

    Gains have a diverging palette centred on zero that grows with the square root; other measures
    a sequential one from 0 to 1. Cells beyond noise (q < 0.05) have a dot; hatched ones belong to
    targets that learned nothing alone.

    Args:
        groups: reorders the tasks group by group, with lines between the groups; None keeps the
            matrix's order, the paper's layout.
    """
    order = order_tasks(matrix.tasks, groups)
    values = matrix.select(order.tasks).to_frame().to_numpy(np.float64, copy=True)
    is_gains = holds_gains(matrix)
    table = tabulate_gains(matrix)
    limit = table.limit or 1.0
    with styled():
        figure = new_figure(width_in, width_in * 0.93)
        axes = figure.add_subplot()
        if is_gains:
            np.fill_diagonal(values, np.nan)
            _paint(axes, values, width_in, diverging_map(), _root_norm(limit), _write_gain)
            _mark_sure(axes, table, order, limit)
            _hatch_undefined(axes, table, order)
            ticks = [-limit, -limit / 4, 0, limit / 4, limit]
        else:
            _paint(axes, values, width_in, sequential_map(), Normalize(0, 1), _write_share)
            ticks = [0, 0.25, 0.5, 0.75, 1]
        outline_groups(axes, order)
        cell_in = cell_width_in(width_in, len(order.tasks))
        name_sides(axes, order, cell_in, rows="source", columns="target")
        _add_scale(figure, axes, ticks, _name_values(matrix))
    return figure


def _root_norm(limit: float) -> FuncNorm:
    return FuncNorm((_signed_root, _signed_square), vmin=-limit, vmax=limit)


def _signed_root(values: npt.ArrayLike) -> Values:
    array = np.asarray(values, dtype=np.float64)
    return np.sign(array) * np.sqrt(np.abs(array))


def _signed_square(values: npt.ArrayLike) -> Values:
    array = np.asarray(values, dtype=np.float64)
    return np.sign(array) * array**2


def _paint(
    axes: Axes,
    values: Values,
    width_in: float,
    colors: Colormap,
    norm: Normalize,
    write: Callable[[float], str],
) -> None:
    cell_in = cell_width_in(width_in, len(values))
    numbers = [[write(value) if math.isfinite(value) else "" for value in row] for row in values]
    sns.heatmap(
        values,
        ax=axes,
        norm=norm,
        cmap=colors,
        annot=np.array(numbers) if cell_in >= LEAST_ANNOTATED_IN else False,
        fmt="",
        annot_kws={"size": size_numbers_pt(cell_in)},
        linewidths=0.4,
        linecolor=color("paper"),
        cbar=False,
        square=True,
        xticklabels=False,
        yticklabels=False,
    )
    axes.set_facecolor(color("wash"))
    set_ink(axes)


def _write_gain(value: float) -> str:
    return format_percent(value, signed=True, unit="")


def _write_share(value: float) -> str:
    """Return a share as the paper's Table 2 prints it: 99.58 is not 100."""
    return format_percent(value, 2, unit="")


def _mark_sure(axes: Axes, table: GainTable, order: TaskOrder, limit: float) -> None:
    """Put a dot into the corner of each cell that is beyond noise."""
    sure = [gain for gain in table.gains if gain.verdict == "beyond noise"]
    place = {task: i for i, task in enumerate(order.tasks)}
    backgrounds = [diverging()[bin_gain(gain.value, limit) + SIDE_STEPS] for gain in sure]
    inks = [color("paper" if text_on(b) == "#ffffff" else "ink") for b in backgrounds]
    axes.scatter(
        [place[gain.target] + 0.87 for gain in sure],
        [place[gain.source] + 0.14 for gain in sure],
        s=max(min(400 / len(order.tasks) ** 2, 4.0), 0.5),
        c=inks or None,
        linewidths=0,
    )


def _hatch_undefined(axes: Axes, table: GainTable, order: TaskOrder) -> None:
    """Take the colour from cells that say nothing; their numbers stay."""
    place = {task: i for i, task in enumerate(order.tasks)}
    undefined = {(place[gain.target], place[gain.source]) for gain in table.gains if gain.undefined}
    for corner in sorted(undefined):
        axes.add_patch(
            Rectangle(
                corner,
                1,
                1,
                facecolor=color("wash"),
                edgecolor=color("line"),
                hatch="////",
                linewidth=0,
                zorder=1.5,
            )
        )
    for text in axes.texts:
        if tuple(int(part) for part in text.get_position()) in undefined:
            text.set_color(color("muted"))


def _name_values(matrix: RelevanceMatrix) -> str:
    measure = identify_measure(matrix.measure)
    if measure is not None and measure.holds_gains == holds_gains(matrix):
        return measure.describe_values(matrix)
    return "relative gain of the target" if holds_gains(matrix) else "relevance"


def _add_scale(figure: Figure, axes: Axes, ticks: list[float], label: str) -> None:
    is_signed = ticks[0] < 0
    digits = 1 if is_signed and ticks[-1] < 0.2 else 0
    mesh = axes.collections[0]
    bar = figure.colorbar(mesh, ax=axes, fraction=0.03, pad=0.02, aspect=32, ticks=ticks)
    bar.ax.set_yticklabels([format_percent(tick, digits, signed=is_signed) for tick in ticks])
    bar.ax.tick_params(length=2)
    bar.set_label(label)
    bar.outline.set_visible(False)
