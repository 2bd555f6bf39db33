"""The maps of attention (paper, Figures 5 and 6): one scale, dark is different, pairs in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from relevance.matrices.gain_table import tabulate_gains
from relevance.matrices.matrix import RelevanceMatrix
from reports.figures import ONE_COLUMN_IN, TWO_COLUMNS_IN, draw_attention
from reports.inputs.report_inputs import ReportInputs
from reports.page.plots import plot_attention
from reports.style.palette import sequential
from reports.tables.attention_pairs import list_attention_pairs

PAIRS = (("mrpc", "rte"), ("qqp", "rte"), ("cb", "rte"))
GAINS = {
    ("rte", "mrpc"): -0.02, ("mrpc", "rte"): -0.05, ("rte", "qqp"): 0.01, ("qqp", "rte"): 0.08,
    ("rte", "cb"): 0.04, ("cb", "rte"): -0.03,
}  # fmt: skip
"""Source and target to the target's gain."""


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Six maps of two layers and three heads, each with other similarities."""
    layer, head = np.divmod(np.arange(6), 3)
    maps = [
        pd.DataFrame(
            {
                "task": task,
                "partner": partner,
                "layer": layer + 1,
                "head": head + 1,
                "similarity": 1 - (0.01 + 0.03 * number) * np.arange(6),
            }
        )
        for number, (task, partner) in enumerate(
            (task, partner) for pair in PAIRS for task, partner in (pair, pair[::-1])
        )
    ]
    return pd.concat(maps, ignore_index=True)


@pytest.fixture(scope="module")
def matrix() -> RelevanceMatrix:
    tasks = ["cb", "mrpc", "qqp", "rte"]
    values = [[GAINS.get((source, target), 0.0) for target in tasks] for source in tasks]
    return RelevanceMatrix.from_array(values, tasks, "pairwise")


def list_panels(panels: Sequence[Axes]) -> list[Axes]:
    """Return the maps of a figure, without its colour bar."""
    return [axes for axes in panels if axes.get_title("left")]


def find_luminance(colors: np.ndarray) -> np.ndarray:
    """Return the relative luminance of colours [N, 3 or 4] in 0 to 1."""
    rgb = colors[:, :3]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def test_all_panels_share_one_scale(frame: pd.DataFrame) -> None:
    panels = list_panels(draw_attention(frame).axes)
    assert len(panels) == 6
    limits = {axes.collections[0].get_clim() for axes in panels}
    assert limits == {(frame["similarity"].min(), 1)}


def test_the_darker_a_head_the_more_different(frame: pd.DataFrame) -> None:
    for axes in list_panels(draw_attention(frame).axes):
        mesh = axes.collections[0]
        mesh.update_scalarmappable()
        order = np.argsort(np.asarray(mesh.get_array()).ravel())
        luminance = find_luminance(np.asarray(mesh.get_facecolor()))[order]
        assert (np.diff(luminance) >= 0).all()
    last = draw_attention(frame).axes[5].collections[0]
    last.update_scalarmappable()
    found = find_luminance(np.asarray(last.get_facecolor()))
    assert found.min() < 0.1
    assert found.max() > 0.9


def test_a_dark_page_turns_the_scale_around() -> None:
    light, dark = (
        [find_luminance(np.array([[int(s[i : i + 2], 16) / 255 for i in (1, 3, 5)]]))[0] for s in
         sequential(theme)]
        for theme in (0, 1)
    )  # fmt: skip
    assert light == sorted(light, reverse=True)
    assert dark == sorted(dark)


@pytest.mark.parametrize("width_in", [ONE_COLUMN_IN, TWO_COLUMNS_IN])
def test_both_tasks_of_a_pair_follow_each_other_and_gaining_pairs_come_first(
    frame: pd.DataFrame, matrix: RelevanceMatrix, width_in: float
) -> None:
    figure = draw_attention(frame, tabulate_gains(matrix), width_in)
    FigureCanvasAgg(figure).draw()
    panels = list_panels(figure.axes)
    assert [axes.get_title("left") for axes in panels] == [
        "qqp, trained with rte\npositive pair, gain +1.0\u00a0%",
        "rte, trained with qqp\npositive pair, gain +8.0\u00a0%",
        "cb, trained with rte\nmixed pair, gain +4.0\u00a0%",
        "rte, trained with cb\nmixed pair, gain −3.0\u00a0%",
        "mrpc, trained with rte\nnegative pair, gain −2.0\u00a0%",
        "rte, trained with mrpc\nnegative pair, gain −5.0\u00a0%",
    ]
    left, right = panels[:2]
    same_row = left.get_position().y0 == pytest.approx(right.get_position().y0)
    assert same_row == (width_in == TWO_COLUMNS_IN)


def test_without_gains_the_recorded_order_is_kept_and_no_gain_is_named(frame: pd.DataFrame) -> None:
    assert [pair.tasks for pair in list_attention_pairs(frame)] == list(PAIRS)
    titles = [axes.get_title("left") for axes in list_panels(draw_attention(frame).axes)]
    assert titles[0] == "mrpc, trained with rte"


def test_a_gain_over_nothing_learned_names_no_kind_of_pair(frame: pd.DataFrame) -> None:
    tasks = ["mrpc", "rte"]
    undefined = np.array([[False, True], [False, True]])
    values = [[0.0, 0.5], [0.1, 0.0]]
    matrix = RelevanceMatrix.from_array(values, tasks, "pairwise", undefined=undefined)
    pair = list_attention_pairs(frame, tabulate_gains(matrix))[0]
    assert (pair.tasks, pair.kind, dict(pair.gains)) == (("mrpc", "rte"), "", {"mrpc": 0.1})


def test_the_caption_says_what_dark_means(frame: pd.DataFrame, matrix: RelevanceMatrix) -> None:
    inputs = ReportInputs("study", attention=frame)
    plot = plot_attention(inputs)
    assert plot is not None
    assert "the darker, the more different (on a dark page, the brighter)." in plot.caption
    assert "positive pair" not in plot.caption
    plot = plot_attention(replace(inputs, pairwise=matrix))
    assert plot is not None
    assert "In a positive pair both tasks gain" in plot.caption
