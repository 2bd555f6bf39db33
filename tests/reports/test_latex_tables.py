"""Tables for papers: the paper's layout, names that LaTeX prints, values as in the report."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import pytest
from report_fixture import make_study, write_comparison, write_everything, write_pairwise

from hmnet.errors import InputError
from hmnet.folder.outputs import open_output
from relevance.matrices.matrix import RelevanceMatrix
from reports.figure_files import list_drawings, write_figures
from reports.inputs.report_inputs import read_inputs
from reports.latex_tables import escape, render_matrix, write_tables

NAMES = ["table1-systems", "table2-vocabulary", "table3-gains", "table4-tasks"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_study(tmp_path_factory.mktemp("made") / "study")
    write_everything(made)
    return made.out


def read_rows(path: Path) -> list[list[str]]:
    """Return the cells of each line that is a row."""
    lines = [line for line in path.read_text().splitlines() if line.endswith(r" \\")]
    return [line.removesuffix(r" \\").split(" & ") for line in lines]


def test_every_table_is_written_and_its_rows_have_one_width(out: Path, tmp_path: Path) -> None:
    files = write_tables(out, tmp_path)
    assert [path.stem for path in files] == NAMES
    for path in files:
        text = path.read_text()
        columns = re.search(r"begin\{tabular\}\{([lr]+)\}", text)
        assert columns is not None
        widths = {len(row) for row in read_rows(path) if not row[0].startswith(r"\multicolumn")}
        assert widths == {len(columns[1])}, path.name
        assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1


def test_the_scores_are_those_of_the_report_with_the_best_in_bold(
    out: Path, tmp_path: Path
) -> None:
    write_tables(out, tmp_path)
    scores = read_inputs(out).scores
    assert scores is not None
    rows = {row[0]: row[1:] for row in read_rows(tmp_path / "table1-systems.tex")}
    for task in scores.tasks:
        for system, cell in zip(scores.systems, rows[escape(task)], strict=True):
            score = scores.score(system, task)
            assert score is not None
            assert f"{100 * score.value:.1f}" in cell
            assert cell.startswith(r"\textbf") == (round(score.value, 3) >= scores.best(task))
    assert "Average" in rows


def test_a_gain_has_its_sign_and_a_star_beyond_noise() -> None:
    values, q = [[0.0, -0.125], [0.25, 0.0]], [[1.0, 0.5], [0.01, 1.0]]
    matrix = RelevanceMatrix.from_array(values, ["a_b", "c"], "pairwise", q_value=q)
    text = render_matrix(matrix, signed=True)
    assert r"a\_b & 0.00 & $-$12.50 \\" in text
    assert r"c & +25.00$^*$ & 0.00 \\" in text


def test_a_folder_without_numbers_is_refused(tmp_path: Path) -> None:
    output = open_output(tmp_path / "out")
    with pytest.raises(InputError, match="with a comparison, a matrix or described tasks"):
        write_tables(output.folder, tmp_path / "tables")
    assert not (tmp_path / "tables").exists()


def test_every_task_has_its_influence_chart_where_all_are_asked_for(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    matrix = write_pairwise(made)
    write_comparison(made)
    names = [name for name, _ in list_drawings(read_inputs(made.out), ["all"])]
    assert len([name for name in names if name.startswith("influence-")]) == len(matrix.tasks)


def test_a_font_is_used_or_refused_with_the_closest(out: Path, tmp_path: Path) -> None:
    before = mpl.rcParams["font.family"]
    with pytest.raises(InputError, match=r"Did you mean .*`DejaVu Serif`"):
        write_figures(out, tmp_path, "svg", columns=["one-column"], font="DejaVu Seri")
    assert list(tmp_path.iterdir()) == []
    made = make_study(tmp_path / "study")
    write_pairwise(made)
    (path, *_) = write_figures(
        made.out, tmp_path, "svg", columns=["one-column"], font="DejaVu Serif"
    )
    assert "DejaVu Serif" in path.read_text()
    assert mpl.rcParams["font.family"] == before
