"""Training loss, a panel a task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from reports.figures.paper_style import (
    LEAST_WIDE_IN,
    SMALL_PT,
    TWO_COLUMNS_IN,
    new_figure,
    strip_axes,
    styled,
)
from reports.inputs.loss_curves import Curve
from reports.inputs.run_index import RUN_KINDS
from reports.style.formatting import shorten_name
from reports.style.palette import color

_PANEL_IN = 1.45


def draw_curves(curves: Mapping[str, Sequence[Curve]], width_in: float = TWO_COLUMNS_IN) -> Figure:
    """Draw each task's training loss against the share of its run's steps.

    Each panel has a scale of its own: the loss of a regression is no match for that of classes.
    """
    columns = max(min(len(curves), round(width_in / _PANEL_IN + 0.3)), 1)
    rows = math.ceil(len(curves) / columns)
    labels = _order_labels(curves)
    with styled():
        figure = new_figure(width_in, 0.95 * rows + 0.6)
        panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
        for i, (axes, (task, found)) in enumerate(zip(panels, curves.items(), strict=False)):
            for curve in found:
                _draw_curve(axes, curve, labels.index(curve.label))
            _dress_panel(axes, task, is_lowest=i + columns >= len(curves))
        for axes in panels[len(curves) :]:
            axes.set_visible(False)
        figure.supxlabel("share of the run's steps", fontsize=SMALL_PT, color=color("muted"))
        figure.supylabel("training loss", fontsize=SMALL_PT, color=color("muted"))
        _add_key(figure, labels)
    return figure


def _order_labels(curves: Mapping[str, Sequence[Curve]]) -> list[str]:
    """Return the kinds of run: single-task first, the most shared next."""
    found = {(RUN_KINDS.index(c.kind), c.label) for part in curves.values() for c in part}
    return [label for _, label in sorted(found)]


def _draw_curve(axes: Axes, curve: Curve, number: int) -> None:
    axes.plot(curve.progress, curve.loss, color=color(f"series-{number}"), linewidth=0.9)


def _dress_panel(axes: Axes, task: str, *, is_lowest: bool) -> None:
    axes.set_title(shorten_name(task, 16))
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_locator(FixedLocator([0, 1]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:.0f} %"))
    axes.tick_params(axis="x", labelbottom=is_lowest)
    strip_axes(axes)


def _add_key(figure: Figure, labels: Sequence[str]) -> None:
    handles = [
        figure.axes[0].plot([], [], color=color(f"series-{i}"), label=label)[0]
        for i, label in enumerate(labels)
    ]
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=3 if figure.get_figwidth() > LEAST_WIDE_IN else 1,
    )
