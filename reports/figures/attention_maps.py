"""Similarity of attention maps per layer and head (paper, Figures 5 and 6)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from relevance.matrices.gain_table import GainTable
from reports.figures.paper_style import (
    LEAST_WIDE_IN,
    TWO_COLUMNS_IN,
    new_figure,
    strip_axes,
    styled,
)
from reports.style.formatting import format_percent, shorten_name
from reports.style.palette import color, sequential_map
from reports.tables.attention_pairs import AttentionPair, list_attention_pairs

_CELLS_FRAC = 0.8
"""Share of a panel's width that its cells take."""


def draw_attention(
    frame: pd.DataFrame, gains: GainTable | None = None, width_in: float = TWO_COLUMNS_IN
) -> Figure:
    """Draw both tasks of each pair side by side, all on one scale; dark cells are differences.

    Args:
        frame: columns `task`, `partner`, `layer`, `head`, `similarity`.
        gains: named, and put the pairs that gain first; None for none.
    """
    pairs = list_attention_pairs(frame, gains)
    panels = [(pair, task) for pair in pairs for task in pair.tasks]
    columns = min(len(panels), 2) if width_in > LEAST_WIDE_IN else 1
    rows = math.ceil(len(panels) / columns)
    low = min(float(frame["similarity"].min()), 0.99)
    with styled():
        figure = new_figure(width_in, rows * _panel_height_in(frame, width_in / columns))
        grid = list(figure.subplots(rows, columns, squeeze=False).ravel())
        for axes, (pair, task) in zip(grid, panels, strict=False):
            _draw_heads(axes, pair.tables[task], low)
            axes.set_title(_title(pair, task))
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        bar = figure.colorbar(grid[0].collections[0], ax=grid, fraction=0.025, aspect=30)
        bar.set_label("cosine similarity of attention maps")
    return figure


def _title(pair: AttentionPair, task: str) -> str:
    """Return who is shown, and below it how the pair gains where that is known."""
    who = f"{shorten_name(task)}, trained with {shorten_name(pair.partner(task))}"
    kind = f"{pair.kind} pair" if pair.kind else ""
    gain = f"gain {format_percent(pair.gains[task], signed=True)}" if task in pair.gains else ""
    return "\n".join(line for line in (who, ", ".join(p for p in (kind, gain) if p)) if line)


def draw_attention_layers(frame: pd.DataFrame, width_in: float = TWO_COLUMNS_IN) -> Figure:
    """Draw, per layer, the similarity of attention maps and its rank correlation with gains.

    Args:
        frame: columns `layer`, `similarity`, `with_gain`, `with_loss`, `spearman`.
    """
    shape = (1, 2) if width_in >= LEAST_WIDE_IN else (2, 1)
    with styled():
        figure = new_figure(width_in, 2.1 * shape[0] + 0.3)
        panels = figure.subplots(*shape)
        lines = {"similarity": "all pairs", "with_gain": "the task gains", "with_loss": "it loses"}
        shades = ("neutral", "help", "hurt")
        for (column, label), shade, marker in zip(lines.items(), shades, "so^", strict=True):
            panels[0].plot(
                frame["layer"], frame[column], f"{marker}-", color=color(shade), label=label, ms=3.6
            )
        panels[0].set_ylabel("cosine similarity of attention")
        panels[0].legend(loc="best")
        panels[1].bar(frame["layer"], frame["spearman"], width=0.6, color=color("neutral"))
        panels[1].axhline(0, color=color("edge"), linewidth=0.6)
        panels[1].set_ylim(-1, 1)
        panels[1].set_ylabel("rank correlation with the gain")
        for axes in panels:
            axes.set_xticks(frame["layer"].astype(int))
            axes.set_xlabel("layer")
            axes.grid(axis="y")
            axes.set_axisbelow(True)
            strip_axes(axes)
    return figure


def _panel_height_in(frame: pd.DataFrame, panel_in: float) -> float:
    """Return the height of a panel of a width when its cells are square."""
    return _CELLS_FRAC * panel_in * frame["layer"].nunique() / frame["head"].nunique() + 0.7


def _draw_heads(axes: Axes, part: pd.DataFrame, low: float) -> None:
    wide = part.pivot(index="layer", columns="head", values="similarity")
    sns.heatmap(
        wide.to_numpy(np.float64),
        ax=axes,
        vmin=low,
        vmax=1,
        cmap=sequential_map().reversed(),
        cbar=False,
        linewidths=0.3,
        linecolor=color("paper"),
        square=True,
    )
    for axis, index in ((axes.xaxis, wide.columns), (axes.yaxis, wide.index)):
        axis.set_ticks(np.arange(len(index)) + 0.5, [f"{i:.0f}" for i in index], rotation=0)
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.set_xlabel("head")
    axes.set_ylabel("layer")
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(color("line"))
