"""The figures as pictures: right numbers in right places, stable bytes, colours for every eye."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from report_fixture import make_many, make_study, write_everything, write_groups, write_pairwise

from hmnet.errors import InputError
from hmnet.study.hierarchy import Groups
from relevance.matrices.gain_table import tabulate_gains
from relevance.matrices.matrix import RelevanceMatrix
from reports.figure_files import WIDTHS, list_drawings, make_safe, write_figures
from reports.figures import (
    ONE_COLUMN_IN,
    TWO_COLUMNS_IN,
    draw_dendrogram,
    draw_heatmap,
    draw_influence,
    draw_together,
)
from reports.figures.svg import embed_svg, save_figure
from reports.inputs.report_inputs import ReportInputs, read_inputs
from reports.style.palette import (
    SIDE_STEPS,
    bin_gain,
    bin_share,
    contrast,
    diverging,
    sequential,
    text_on,
)
from reports.tables.matrix_table import build_heat

GAINS = [[0.0, 0.123, -0.045], [0.5, 0.0, np.nan], [-0.001, 0.0, 0.0]]
TASKS = ["alpha", "beta", "gamma"]

# Machado, Oliveira and Fernandes (2009), severity 1: how linear RGB looks to each.
BLINDNESS = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> ReportInputs:
    made = make_study(tmp_path_factory.mktemp("study"))
    write_everything(made)
    return read_inputs(made.out)


@pytest.fixture
def matrix() -> RelevanceMatrix:
    return RelevanceMatrix.from_array(GAINS, TASKS, "pairwise", q_value=_all_but_one_sure())


def _all_but_one_sure() -> np.ndarray:
    q = np.full((3, 3), 0.001)
    q[0, 2] = 0.6
    q[np.diag_indices(3)] = np.nan
    return q


def read_cells(figure: Figure) -> dict[tuple[int, int], str]:
    """Return the text of each cell of a heatmap by row and column."""
    axes = figure.axes[0]
    return {
        (int(text.get_position()[1]), int(text.get_position()[0])): text.get_text()
        for text in axes.texts
    }


def read_names(figure: Figure) -> tuple[list[str], list[str]]:
    """Return the names of a heatmap's rows and columns."""
    axes = figure.axes[0]
    return (
        [label.get_text() for label in axes.get_yticklabels()],
        [label.get_text() for label in axes.get_xticklabels()],
    )


def test_rows_are_sources_and_columns_targets_in_the_matrix_order(matrix: RelevanceMatrix) -> None:
    figure = draw_heatmap(matrix)
    assert read_names(figure) == (TASKS, TASKS)
    assert figure.axes[0].get_ylabel() == "source"
    assert figure.axes[0].get_xlabel() == "target"
    cells = read_cells(figure)
    assert cells[0, 1] == "+12.3"  # alpha -> beta
    assert cells[1, 0] == "+50.0"  # beta -> alpha
    assert cells[0, 2] == "−4.5"
    assert cells[2, 0] == "−0.1"


def test_zero_has_no_sign_and_what_is_missing_has_no_number(matrix: RelevanceMatrix) -> None:
    cells = read_cells(draw_heatmap(matrix))
    assert cells[2, 1] == "0.0"
    assert (1, 2) not in cells
    assert (0, 0) not in cells


def test_shares_have_two_decimals_as_in_the_paper(inputs: ReportInputs) -> None:
    shares = np.array([[1, 0.9958], [0.0005, 1]])
    matrix = RelevanceMatrix.from_array(shares, ["a", "b"], "vocabulary")
    expected = {(0, 0): "100.00", (0, 1): "99.58", (1, 0): "0.05", (1, 1): "100.00"}
    assert read_cells(draw_heatmap(matrix)) == expected
    rows = build_heat(matrix, None).rows
    assert [[cell.text for cell in row] for row in rows] == [
        ["100.00", "99.58"],
        ["0.05", "100.00"],
    ]
    figure = draw_heatmap(inputs.vocabulary)  # 13 tasks: every number fits into its cell
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    cell = figure.axes[0].transData.transform([[0, 0], [1, 1]])
    widest = max(text.get_window_extent().width for text in figure.axes[0].texts)
    assert widest < abs(cell[1][0] - cell[0][0])


def test_groups_reorder_rows_and_columns_alike(matrix: RelevanceMatrix) -> None:
    groups = Groups({"1": ("gamma", "alpha"), "2": ("beta",)})
    figure = draw_heatmap(matrix, groups)
    assert read_names(figure) == (["gamma", "alpha", "beta"],) * 2
    assert read_cells(figure)[1, 2] == "+12.3"  # alpha -> beta, moved
    lines = [line.get_ydata()[0] for line in figure.axes[0].lines if line.get_xdata()[0] == 0]
    assert lines == [2]  # one line, between alpha and beta


def test_only_cells_beyond_noise_have_a_dot(matrix: RelevanceMatrix) -> None:
    dots = draw_heatmap(matrix).axes[0].collections[-1].get_offsets()
    cells = {(int(y), int(x)) for x, y in np.asarray(dots)}
    assert cells == {(0, 1), (1, 0), (2, 0), (2, 1)}


def test_numbers_disappear_where_cells_become_too_narrow(matrix: RelevanceMatrix) -> None:
    tasks = [f"t{i:02d}" for i in range(50)]
    wide = RelevanceMatrix.from_array(np.zeros((50, 50)) + 0.01, tasks, "pairwise")
    assert not draw_heatmap(wide).axes[0].texts
    assert draw_heatmap(matrix).axes[0].texts


def test_the_numbers_read_well_on_every_cell(inputs: ReportInputs) -> None:
    assert inputs.pairwise is not None
    axes = draw_heatmap(inputs.pairwise).axes[0]
    colors = np.asarray(axes.collections[0].get_facecolor())
    for text in axes.texts:
        x, y = text.get_position()
        assert contrast(tuple(colors[int(y) * 13 + int(x)]), text.get_color()) >= 4


def test_influence_shows_both_directions_with_their_values(matrix: RelevanceMatrix) -> None:
    left, right = draw_influence(matrix, "alpha").axes
    assert _read_bars(left) == {"beta": pytest.approx(50.0), "gamma": pytest.approx(-0.1)}
    assert _read_bars(right) == {"beta": pytest.approx(12.3), "gamma": pytest.approx(-4.5)}


def _read_bars(axes: mpl.axes.Axes) -> dict[str, float]:
    names = [label.get_text() for label in axes.get_yticklabels()]
    return {name: float(bar.get_width()) for name, bar in zip(names, axes.patches, strict=True)}


def test_a_bar_within_noise_is_hollow(matrix: RelevanceMatrix) -> None:
    _, right = draw_influence(matrix, "alpha").axes
    hollow = {
        name.get_text(): bar.get_facecolor()[3] == 0
        for name, bar in zip(right.get_yticklabels(), right.patches, strict=True)
    }
    assert hollow == {"beta": False, "gamma": True}


def test_influence_of_an_unknown_task_names_the_known_ones(matrix: RelevanceMatrix) -> None:
    with pytest.raises(InputError, match="alpha"):
        draw_influence(matrix, "alpah")


def test_together_puts_the_tasks_of_a_group_side_by_side(inputs: ReportInputs) -> None:
    assert inputs.together is not None
    assert inputs.groups is not None
    rows, columns = read_names(draw_together(inputs.together, inputs.groups))
    assert rows == columns == list(inputs.groups.tasks)


def test_the_tree_joins_the_most_alike_rows_first() -> None:
    rows = np.array([[0.0, 0.1, 0.9], [0.0, 0.1, 0.8], [0.7, 0.7, 0.0]])
    matrix = RelevanceMatrix.from_array(rows, TASKS, "pairwise")
    axes = draw_dendrogram(matrix).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert abs(names.index("alpha") - names.index("beta")) == 1
    joins = sorted(float(x) for path in axes.collections[0].get_segments() for x in path[1:3, 0])
    assert joins[0] == pytest.approx(0.1)  # only gamma's column differs: 0.9 - 0.8


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_the_same_figure_gives_the_same_bytes(matrix: RelevanceMatrix, kind: str) -> None:
    one, other = (save_figure(draw_heatmap(matrix), kind, "name") for _ in range(2))  # type: ignore[arg-type]
    assert one == other
    assert len(one) > 1000


def test_every_figure_is_drawn_as_vectors_at_the_width_asked_for(inputs: ReportInputs) -> None:
    drawings = list_drawings(inputs)
    names = [name for name, _ in drawings]
    assert names == [
        "vocabulary",
        "vocabulary-grouped",
        "pairwise",
        "pairwise-grouped",
        "influence-wnli",
        "dendrogram",
        "together",
        "scores",
        "attention",
        "attention-layers",
        "curves",
        "shared-layers",
        "layer-combinations",
    ]
    for i, (name, draw) in enumerate(drawings):
        width = list(WIDTHS.values())[i % 2]
        text = save_figure(draw(width), "svg", name).decode()
        assert "<image" not in text, name
        box = re.search(r'viewBox="0 0 ([\d.]+)', text)
        assert box is not None
        assert float(box[1]) == pytest.approx(72 * width)


def test_a_pdf_carries_its_fonts_whole(matrix: RelevanceMatrix) -> None:
    content = save_figure(draw_heatmap(matrix), "pdf")
    assert b"/FontFile2" in content  # TrueType, as fonttype 42 embeds it
    assert b"/Type3" not in content


def test_figures_are_written_by_name_width_and_format(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    write_pairwise(made)
    written = write_figures(made.out, tmp_path / "figures", "svg", ["boolq"], ["one-column"])
    assert [path.name for path in written] == [
        "pairwise.svg",
        "influence-boolq.svg",
        "dendrogram.svg",
    ]
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == sorted(
        path.name for path in written
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "gif"}, "`format`.*Found `gif`"),
        ({"columns": ["three"]}, "`width`.*Found `three`"),
        ({"focus": ["boolk"]}, "`focus`.*Found `boolk`.*boolq"),
    ],
)
def test_an_unknown_choice_is_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, object], said: str
) -> None:
    made = make_study(tmp_path / "study")
    write_pairwise(made)
    with pytest.raises(InputError, match=said):
        write_figures(made.out, tmp_path / "figures", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize("name", ["../../x", "a/b", "<script>", "..", "näm", "x" * 300])
def test_no_task_name_leaves_the_folder(name: str) -> None:
    safe = make_safe(name)
    assert re.fullmatch(r"[A-Za-z0-9_+-]{1,64}", safe)


@pytest.mark.parametrize("name", ["$x$", "$\\frac", "<b>&", "a\nb\x00c", "文字", "_" * 200])
def test_any_name_can_be_drawn(name: str) -> None:
    matrix = RelevanceMatrix.from_array(GAINS, [name, "beta", "gamma"], "pairwise")
    for figure in (draw_heatmap(matrix), draw_influence(matrix, name), draw_dendrogram(matrix)):
        text = save_figure(figure, "svg").decode()
        assert "<b>" not in text
        assert "\x00" not in text


@pytest.mark.system
def test_two_tasks_and_fifty_are_drawn(tmp_path: Path) -> None:
    for count, width in ((2, ONE_COLUMN_IN), (50, TWO_COLUMNS_IN)):
        made = make_many(tmp_path / str(count), count)
        write_groups(made, write_pairwise(made))
        for name, draw in list_drawings(read_inputs(made.out)):
            if not name.endswith("-grouped"):
                assert save_figure(draw(width), "svg", name)


def test_drawing_leaves_no_trace_in_matplotlib(matrix: RelevanceMatrix) -> None:
    before = dict(mpl.rcParams)
    save_figure(draw_heatmap(matrix, width_in=ONE_COLUMN_IN), "svg")
    assert dict(mpl.rcParams) == before


def test_an_embedded_figure_has_its_own_identifiers_colours_and_words(
    inputs: ReportInputs,
) -> None:
    assert inputs.together is not None
    text = str(embed_svg(draw_together(inputs.together), "pic", 'a "b" <c>'))
    assert text.startswith('<svg role="img" aria-label="a &#34;b&#34; &lt;c&gt;"')
    identifiers = re.findall(r' id="([^"]+)"', text)
    assert identifiers
    assert all(name.startswith("pic-") for name in identifiers)
    assert len(set(identifiers)) == len(identifiers)
    assert set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text))
    assert not re.findall(r": #[0-9a-f]{6}", text)  # every colour is one of the page's variables
    assert "<metadata" not in text


@pytest.mark.parametrize("theme", [0, 1])
def test_zero_is_the_background_and_both_signs_are_as_strong(theme: int) -> None:
    steps = diverging(theme)
    paper = "#ffffff" if theme == 0 else "#15181c"
    assert steps[SIDE_STEPS] == paper
    strengths = [contrast(step, paper) for step in steps]
    for side in (strengths[SIDE_STEPS:], strengths[SIDE_STEPS::-1]):
        assert side == sorted(side)
    for low, high in zip(strengths, reversed(strengths), strict=True):
        assert 0.6 < low / high < 1.7


@pytest.mark.parametrize("theme", [0, 1])
def test_text_reads_well_on_every_colour(theme: int) -> None:
    for shade in (*diverging(theme), *sequential(theme)):
        assert contrast(shade, text_on(shade)) >= 4.5


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize("theme", [0, 1])
def test_gains_and_losses_differ_for_every_eye(kind: str, theme: int) -> None:
    shades = diverging(theme)
    for step in range(3, SIDE_STEPS + 1):
        gain, loss = (
            _to_lab(np.clip(BLINDNESS[kind] @ _to_linear(shade), 0, 1))
            for shade in (shades[SIDE_STEPS + step], shades[SIDE_STEPS - step])
        )
        assert np.linalg.norm(gain - loss) > 15  # a difference of 2.3 can just be noticed


def _to_linear(shade: str) -> np.ndarray:
    rgb = np.asarray(to_rgb(shade))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _to_lab(linear: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear sRGB, white point D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt((to_xyz @ linear) / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_colour_steps_are_odd_bounded_and_grow_with_the_root() -> None:
    for value in (0.0, 0.001, 0.02, 0.3, 0.7):
        assert bin_gain(value, 0.7) == -bin_gain(-value, 0.7)
    assert bin_gain(0.7, 0.7) == SIDE_STEPS
    assert bin_gain(0.7 / 4, 0.7) == SIDE_STEPS // 2  # the root of a quarter is a half
    assert bin_gain(9.0, 0.7) == SIDE_STEPS
    assert bin_gain(0.0, 0.0) == 0
    assert (bin_share(0.0), bin_share(1.0), bin_share(2.0)) == (0, 15, 15)


def test_the_table_of_gains_leaves_out_the_diagonal_and_counts_gaps(
    matrix: RelevanceMatrix,
) -> None:
    table = tabulate_gains(matrix)
    assert len(table.gains) == 5  # six cells, one of them without a value
    assert table.missing == 1
    assert table.limit == 0.5
    assert [(g.source, g.target) for g in table.strongest(-1)] == [
        ("alpha", "gamma"),
        ("gamma", "alpha"),
    ]
    assert [pair.tasks for pair in table.pairs] == [("gamma", "alpha"), ("beta", "alpha")]
