"""A matrix that was measured elsewhere has a way in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from relevance.groups.doubt import describe_doubt, group_matrix
from relevance.matrices.gain_table import declares_gains
from relevance.matrices.holes import fill_holes
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.own_table import describe_own, read_own_table
from relevance.measures.find import find_matrix

SQUARE = "task,x,y,z\nx,0,1.5,-2\ny,0.25,0,3\nz,4,5,0\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.csv", SQUARE),
        ("m.tsv", SQUARE.replace(",", "\t")),
        ("m.csv", SQUARE.replace(",", ";")),
        ("m.csv", "Source,Target,Value\nx,y,1.5\nx,z,-2\ny,x,.25\ny,z,3\nz,x,4\nz,y,5\n"),
        ("m.CSV", ",x,y,z\r\nx,,1.5,-2\r\ny,0.25,,3\r\nz,4,5,\r\n"),
    ],
)
def test_a_square_table_and_one_of_pairs_are_read(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    frame = find_matrix(Output(tmp_path), None, str(tmp_path / name)).to_frame()
    assert list(frame.index) == ["x", "y", "z"]
    assert frame.loc["x", "y"] == 0.015  # sources are rows; values beyond 1 are percent
    assert frame.loc["y", "x"] == 0.0025
    assert np.nan_to_num(np.diag(frame)).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (SQUARE.replace("1.5", "much"), "x to y should be a number. Found `much`"),
        (SQUARE.replace("1.5", "inf"), "x to y should be a number. Found `inf`"),
        (SQUARE.replace("z,4", "y,4"), "source `y` should have one row. Found 2"),
        ("source,target,value\na,a,1\nb,b,2\n", "should hold values between two tasks"),
        ("source,target,value\na,b,1\nb,a,2\na,b,3\n", "should stand once"),
        ("a,b\n1,2\n", "sources in the first column"),
    ],
)
def test_another_table_is_refused_with_what_is_wrong(
    tmp_path: Path, content: str, said: str
) -> None:
    (tmp_path / "m.csv").write_text(content)
    with pytest.raises(InputError, match=said):
        read_own_table(tmp_path / "m.csv")


def test_a_parquet_of_another_kind_is_answered_with_the_way_in(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1.0]}).to_parquet(tmp_path / "m.parquet")
    with pytest.raises(InputError, match="A matrix of your own is read from a csv file"):
        find_matrix(Output(tmp_path), None, str(tmp_path / "m.parquet"))


def write_table(folder: Path, content: str) -> Path:
    path = folder / "own.csv"
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    ("header", "holds", "read"),
    [
        ("task", None, "percent (the largest, 5, is beyond 1); to say it, call them"),
        ("gain", "gains", "percent (the largest, 5, is beyond 1); to say it, call them"),
        ("Gain %", "gains", "percent (called `Gain %`)"),
        ("%", None, "percent (called `%`)"),
        ("gain fraction", "gains", "fraction (called `gain fraction`)"),
        ("relevance (fraction)", "relevance", "fraction (called `relevance (fraction)`)"),
    ],
)
def test_the_first_cell_says_gains_and_their_unit(
    tmp_path: Path, header: str, holds: str | None, read: str
) -> None:
    matrix = read_own_table(write_table(tmp_path, SQUARE.replace("task", header)))
    assert matrix.provenance.get("holds") == holds
    assert declares_gains(matrix) == (holds == "gains")
    assert matrix.to_frame().loc["x", "y"] == (1.5 if "fraction" in header else 0.015)
    assert next(describe_own(matrix)).startswith(f"values read as {read}")


def test_a_column_of_gains_in_percent_and_signs_of_percent_are_read(tmp_path: Path) -> None:
    pairs = "a,b,608\na,c,-2\nb,a,1\nb,c,1\nc,a,1\nc,b,1\n"
    matrix = read_own_table(write_table(tmp_path, f"source,target,gain %\n{pairs}"))
    assert matrix.to_frame().loc["a", "b"] == pytest.approx(6.08)
    signs = pairs.replace("608", "608 %")
    matrix = read_own_table(write_table(tmp_path, f"source,target,value\n{signs}"))
    assert matrix.to_frame().loc["a", "b"] == pytest.approx(6.08)


def make_wide(holes: int, diagonal: str = "nan") -> str:
    names = [f"t{i:02d}" for i in range(21)]  # 420 cells off the diagonal
    rng = np.random.default_rng(0)
    rows = [[f"{value:.3f}" for value in row] for row in rng.normal(0, 0.05, (21, 21))]
    for i in range(21):
        rows[i][i] = diagonal
    for hole in range(holes):
        rows[hole][hole + 1] = ""
    lines = [",".join([name, *row]) for name, row in zip(names, rows, strict=True)]
    return "\n".join([",".join(["gain", *names]), *lines])


@pytest.mark.parametrize("diagonal", ["nan", "", "-", "inf", "1"])
@pytest.mark.parametrize("k", [3, None])
def test_a_diagonal_means_nothing_and_two_of_420_cells_may_be_empty(
    tmp_path: Path, diagonal: str, k: int | None
) -> None:
    matrix = read_own_table(write_table(tmp_path, make_wide(2, diagonal)))
    found = group_matrix(matrix, k)
    assert sorted(found.groups.tasks) == sorted(matrix.tasks)
    said = list(describe_doubt(found))
    assert said[0].startswith("empty, and taken for what source and target have elsewhere: t00 to")


def test_many_holes_are_filled_in_what_is_from_elsewhere_and_none_in_own_runs(
    tmp_path: Path,
) -> None:
    matrix = read_own_table(write_table(tmp_path, make_wide(9)))
    assert len(fill_holes(matrix).filled) == 9  # of 420, 2.1 %
    measured = replace(matrix, provenance={"holds": "gains"})
    assert fill_holes(measured).filled == ()
    with pytest.raises(InputError, match="Missing: t00 -> t01"):
        group_matrix(measured, 3, "spectral")


def test_what_is_not_both_source_and_target_is_left_out_and_said(tmp_path: Path) -> None:
    table = "gain,x,y,z\nx,,0.1,0.2\ny,-0.1,,0.1\nz,0.2,0.1,\nmore,0.1,0.1,0.1\n"
    found = group_matrix(read_own_table(write_table(tmp_path, table)), 2)
    assert sorted(found.groups.tasks) == ["x", "y", "z"]
    assert found.reading == ("not grouped, as they are not both source and target: more",)
    with pytest.raises(InputError, match="at least two that are source and target"):
        group_matrix(read_own_table(write_table(tmp_path, "gain,x,y\na,1,2\nb,2,1\n")), 2)


def test_two_tasks_need_no_diagonal(tmp_path: Path) -> None:
    matrix = read_own_table(write_table(tmp_path, "source,target,value\na,b,0.4\nb,a,0.2\n"))
    assert np.diag(fill_holes(matrix).matrix.to_frame()).tolist() == [0.4, 0.2]


def test_a_hole_is_filled_with_what_its_source_and_target_have() -> None:
    values = np.add.outer([0.1, 0.0, -0.1, 0.0, 0.2, 0.0, 0.0, 0.0], np.linspace(-0.03, 0.04, 8))
    truth, values[0, 1] = values[0, 1], np.nan
    np.fill_diagonal(values, np.nan)
    names = list("abcdefgh")
    found = fill_holes(RelevanceMatrix.from_array(values, names, "mine", {"holds": "gains"}))
    assert found.filled == (("a", "b"),)
    assert found.matrix.to_frame().loc["a", "b"] == pytest.approx(truth)
    assert (np.diag(found.matrix.to_frame()) == 0).all()


def test_gains_by_another_name_keep_their_comparisons_and_percent_is_told() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(2, 3, (6, 6))
    named = RelevanceMatrix.from_array(values, list("abcdef"), "mine", {"holds": "gains"})
    said = list(describe_doubt(group_matrix(named, 2)))
    assert any("call its values `gain %`" in line for line in said)
    assert any(line.startswith("a task's mean gain") for line in said)
    unnamed = RelevanceMatrix.from_array(values, list("abcdef"), "mine")
    said = list(describe_doubt(group_matrix(unnamed, 2)))
    assert any("nothing says that they are gains" in line for line in said)
    assert not any("mean gain" in line for line in said)


def test_a_table_need_be_neither_square_nor_whole(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("source,x,y\nx,,0.5\ny,-0.1,\nz,0.2,n/a\n")
    matrix = read_own_table(tmp_path / "m.csv")
    assert matrix.tasks == ("x", "y", "z")
    assert matrix.to_frame().loc["z", "x"] == 0.2
    assert matrix.to_frame()["z"].isna().all()  # no target
    assert list(describe_own(matrix)) == [
        "values read as fraction (none is beyond 1); to say it, call them `value fraction` or "
        "`value %` (`gain ...` for gains), or `relevance import --unit`",
        "no target, a source alone: z",
        "1 of 4 values are missing",  # x to y, y to x, z to x, and z to y
    ]


def test_targets_may_be_rows_and_intervals_may_be_there(tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_text("target,x,y,z\nx,,0.5,1\ny,-0.1,,0.1\n")
    turned = read_own_table(tmp_path / "wide.csv", targets="rows").to_frame()
    assert (turned.loc["y", "x"], turned.loc["x", "y"]) == (0.5, -0.1)
    rows = {"Source": ["x", "y"], "Target": ["y", "x"], "Gain": [4.0, -2.0]}
    frame = pd.DataFrame({**rows, "low": [1.0, -5.0], "high": [7.0, 1.0]})
    frame.to_parquet(tmp_path / "long.parquet")
    matrix = find_matrix(Output(tmp_path), None, str(tmp_path / "long.parquet"))
    assert matrix.provenance["unit"] == "percent"
    assert matrix.to_frame("ci_low").loc["x", "y"] == 0.01
    assert matrix.to_frame("ci_high").loc["y", "x"] == 0.01


def test_percent_is_told_by_a_value_beyond_one_or_a_sign_and_can_be_said(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("source,target,value\na,b,1.5\nb,a,0.5\n")
    assert read_own_table(path).to_frame().loc["a", "b"] == 0.015
    assert read_own_table(path, unit="fraction").to_frame().loc["a", "b"] == 1.5
    path.write_text("source,target,value\na,b,0.4 %\nb,a,-0.2%\n")
    assert read_own_table(path).to_frame().loc["a", "b"] == 0.004
