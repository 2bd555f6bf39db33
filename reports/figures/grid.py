"""What square pictures of tasks by tasks have in common: names, numbers and group lines."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from reports.figures.paper_style import SMALL_PT
from reports.style.formatting import shorten_name
from reports.style.palette import color, text_on
from reports.tables.task_order import TaskOrder

LEAST_ANNOTATED_IN = 0.27
"""Cells narrower than this carry no number."""
_GRID_FRAC = 0.8


def cell_width_in(width_in: float, tasks: int) -> float:
    """Return about how wide a cell becomes in a figure of `width_in` inches."""
    return _GRID_FRAC * width_in / max(tasks, 1)


def size_numbers_pt(cell_in: float) -> float:
    """Return the size of the numbers in cells."""
    return min(SMALL_PT, 17 * cell_in)


def set_ink(axes: Axes) -> None:
    """Give each number in a cell the ink that reads best on the cell's colour."""
    mesh = axes.collections[0]
    mesh.update_scalarmappable()
    colors = np.asarray(mesh.get_facecolor())
    columns = round(max(abs(limit) for limit in axes.get_xlim()))
    for text in axes.texts:
        x, y = text.get_position()
        background = to_hex(tuple(colors[int(y) * columns + int(x)]))
        text.set_color(color("paper" if text_on(background) == "#ffffff" else "ink"))


def outline_groups(axes: Axes, order: TaskOrder) -> None:
    """Draw lines between the groups."""
    for position in order.boundaries:
        axes.axhline(position, color=color("ink"), linewidth=0.9)
        axes.axvline(position, color=color("ink"), linewidth=0.9)


def name_sides(
    axes: Axes, order: TaskOrder, cell_in: float, rows: str = "", columns: str = ""
) -> None:
    """Write the tasks' names along both sides; the columns' above, as in the paper."""
    names = [shorten_name(task, 16) for task in order.tasks]
    middles = np.arange(len(names)) + 0.5
    size = min(SMALL_PT, 44 * cell_in)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xticks(middles, names, rotation=90, fontsize=size)
    axes.set_yticks(middles, names, rotation=0, fontsize=size)
    axes.tick_params(length=0)
    axes.set_xlabel(columns)
    axes.set_ylabel(rows)
