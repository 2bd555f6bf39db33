"""The numbers in the pictures of sweeps (paper, Figures 3 and 4), read back from the axes."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from reports.figures import draw_layer_combinations, draw_shared_layers
from reports.inputs.hierarchy_sweeps import CombinationSweep, LayerSweep

LAYERS = pd.DataFrame(
    [
        (task, shared, seed, base + 0.01 * shared + 0.02 * seed)
        for task, base in (("a", 0.5), ("b", 0.7))
        for shared in (0, 4, 12)
        for seed in (0, 1, 2)
    ],
    columns=["task", "shared", "seed", "score"],
)
COMBINATIONS = pd.DataFrame(
    [
        ("8,2,2", 8, "one", 0, 0.70),
        ("8,2,2", 8, "one", 1, 0.74),
        ("4,0,8", 4, "one", 0, 0.60),
        ("4,0,8", 4, "two", 0, 0.65),
        ("12,0,0", 12, "multi-task", 0, 0.66),
        ("12,0,0", 12, "multi-task", 1, 0.70),
    ],
    columns=["hierarchy", "shared", "grouping", "seed", "score"],
)


def read_points(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    """Return the points of each line by its label."""
    return {
        str(line.get_label()): [
            (round(float(x), 6), round(float(y), 6)) for x, y in line.get_xydata()
        ]
        for line in axes.lines
    }


def read_bars(axes: Axes) -> list[list[tuple[float, float]]]:
    """Return the ends of each vertical bar, line by line."""
    return [
        [tuple(round(float(y), 6) for y in segment[:, 1]) for segment in bars.get_segments()]  # type: ignore[misc]
        for bars in axes.collections
    ]


def test_figure_3_draws_means_over_seeds_and_their_range() -> None:
    figure = draw_shared_layers(LayerSweep(LAYERS))
    first, second = figure.axes
    assert (first.get_title("left"), second.get_title("left")) == ("a", "b")
    # a with 4 shared layers: 54, 56 and 58 %
    assert list(read_points(first).values()) == [[(0, 52), (4, 56), (12, 64)]]
    assert read_bars(first) == [[(50, 54), (54, 58), (62, 66)]]
    assert list(read_points(second).values()) == [[(0, 72), (4, 76), (12, 84)]]
    assert figure.get_supxlabel() == "shared layers"
    assert figure.get_supylabel() == "score, %"


@pytest.mark.parametrize("width_in", [3.03, 6.3])
def test_figure_3_of_many_tasks_begins_with_their_average(width_in: float) -> None:
    parts = [LAYERS.assign(task=LAYERS["task"] + str(i)) for i in range(6)]
    figure = draw_shared_layers(LayerSweep(pd.concat(parts)), width_in)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == 13
    assert shown[0].get_title("left") == "average of 12 tasks"
    # the average of a and b: (50 + 70) / 2 = 60 with no shared layer and seed 0
    assert list(read_points(shown[0]).values()) == [[(0, 62), (4, 66), (12, 74)]]
    assert read_bars(shown[0]) == [[(60, 64), (64, 68), (72, 76)]]


def test_figure_4_draws_a_line_per_grouping_by_its_name_and_multi_task_dashed() -> None:
    (axes,) = draw_layer_combinations(CombinationSweep(COMBINATIONS, ("a", "b"))).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["{4,0,8}", "{8,2,2}"]
    points = read_points(axes)
    assert points["one"] == [(-0.03, 60), (0.97, 72)]
    assert points["two"] == [(0.03, 65)]
    assert read_bars(axes) == [[(60, 60), (70, 74)], [(65, 65)]]
    dashed = {line.get_label(): line for line in axes.lines if line.get_linestyle() == "--"}
    assert list(dashed) == ["multi-task"]
    assert [y for _, y in points["multi-task"]] == [68, 68]
    (legend,) = axes.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["one", "two", "multi-task"]


def test_figure_4_with_multi_task_training_alone_is_its_line() -> None:
    table = COMBINATIONS[COMBINATIONS["grouping"] == "multi-task"]
    (axes,) = draw_layer_combinations(CombinationSweep(table, ("a", "b"))).axes
    assert list(read_points(axes)) == ["multi-task"]


@pytest.mark.parametrize(("width_in", "count"), [(3.03, 2), (3.03, 12), (6.3, 12)])
def test_names_of_many_combinations_do_not_overlap(width_in: float, count: int) -> None:
    names = [f"{i},1,{11 - i}" for i in range(count)]
    rows = [(name, i, "one", 0, 0.5) for i, name in enumerate(names)]
    table = pd.DataFrame(rows, columns=COMBINATIONS.columns)
    figure = draw_layer_combinations(CombinationSweep(table, ("a", "b")), width_in)
    FigureCanvasAgg(figure).draw()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
