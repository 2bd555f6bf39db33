"""How the tasks group: a tree of their rows, or how often resampling puts two together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.cluster import hierarchy as trees

from hmnet.study.hierarchy import Groups
from relevance.matrices.matrix import RelevanceMatrix
from reports.figures.grid import (
    LEAST_ANNOTATED_IN,
    cell_width_in,
    name_sides,
    outline_groups,
    set_ink,
    size_numbers_pt,
)
from reports.figures.paper_style import (
    LEAST_WIDE_IN,
    TWO_COLUMNS_IN,
    new_figure,
    strip_axes,
    styled,
)
from reports.style.formatting import shorten_name
from reports.style.palette import color, sequential_map
from reports.tables.task_order import TaskOrder, order_tasks

_LEAF_STEP, _FIRST_LEAF = 10, 5
"""Where scipy puts the leaves of a tree."""


def draw_dendrogram(
    matrix: RelevanceMatrix, groups: Groups | None = None, width_in: float = TWO_COLUMNS_IN
) -> Figure:
    """Draw how alike the tasks' rows are: average linkage of Euclidean distances.

    These are the features that k-means groups. A dot beside each name has its group's colour.

    Args:
        matrix: a missing value counts as its column's mean; at least two tasks.
    """
    wide = matrix.to_frame()
    features = wide.fillna(wide.mean()).fillna(0.0).to_numpy(np.float64)
    tree = trees.linkage(features, "average", optimal_ordering=True)
    with styled():
        figure = new_figure(width_in, 0.17 * len(wide) + 0.65)
        axes = figure.add_subplot()
        trees.dendrogram(
            tree,
            ax=axes,
            orientation="right",
            color_threshold=0,
            above_threshold_color=color("edge"),
            no_labels=True,
        )
        leaves = [matrix.tasks[i] for i in trees.leaves_list(tree)]
        order = order_tasks(matrix.tasks, groups)
        _name_leaves(axes, leaves, order)
        if len(order.labels) > 1:
            _add_key(figure, axes, order)
        axes.set_xlabel("distance between the tasks' rows")
        strip_axes(axes, keep="bottom")
    return figure


def _name_leaves(axes: Axes, leaves: Sequence[str], order: TaskOrder) -> None:
    places = [_LEAF_STEP * i + _FIRST_LEAF for i in range(len(leaves))]
    axes.set_yticks(places, [shorten_name(name) for name in leaves])
    axes.tick_params(axis="y", length=0, pad=8)
    for y, name in zip(places, leaves, strict=True):
        shade = color(f"series-{order.section_of(name)}" if len(order.labels) > 1 else "neutral")
        axes.plot([0], [y], "o", color=shade, markersize=4, clip_on=False)


def _add_key(figure: Figure, axes: Axes, order: TaskOrder) -> None:
    for i, label in enumerate(order.labels):
        axes.plot([], [], "o", color=color(f"series-{i}"), markersize=4, label=name_group(label))
    columns = 5 if figure.get_figwidth() > LEAST_WIDE_IN else 3
    figure.legend(loc="outside upper left", ncols=min(len(order.labels), columns))


def name_group(label: str) -> str:
    """Return `group 1` for a number, and any other name as it is."""
    return f"group {label}" if label.isdigit() else shorten_name(label)


def draw_together(
    together: pd.DataFrame, groups: Groups | None = None, width_in: float = TWO_COLUMNS_IN
) -> Figure:
    """Draw how often resampling puts two tasks into one group, the groups' tasks side by side.

    Args:
        together: shares from 0 to 1, shape [T, T].
    """
    order = order_tasks([str(task) for task in together.index], groups)
    values = together.loc[list(order.tasks), list(order.tasks)].to_numpy(np.float64)
    cell_in = cell_width_in(width_in, len(values))
    with styled():
        figure = new_figure(width_in, width_in * 0.96)
        axes = figure.add_subplot()
        sns.heatmap(
            values,
            ax=axes,
            vmin=0,
            vmax=1,
            cmap=sequential_map(),
            annot=cell_in >= LEAST_ANNOTATED_IN,
            fmt=".2f",
            annot_kws={"size": size_numbers_pt(cell_in)},
            linewidths=0.4,
            linecolor=color("paper"),
            cbar=False,
            square=True,
        )
        set_ink(axes)
        outline_groups(axes, order)
        name_sides(axes, order, cell_in)
    return figure
