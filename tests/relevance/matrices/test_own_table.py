"""A matrix that was measured elsewhere has a way in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from relevance.matrices.find import find_matrix
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.own_table import complete, describe_own, read_own_table

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


def test_a_table_need_be_neither_square_nor_whole(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("source,x,y\nx,,0.5\ny,-0.1,\nz,0.2,n/a\n")
    matrix = read_own_table(tmp_path / "m.csv")
    assert matrix.tasks == ("x", "y", "z")
    assert matrix.to_frame().loc["z", "x"] == 0.2
    assert matrix.to_frame()["z"].isna().all()  # no target
    assert list(describe_own(matrix)) == [
        "values read as fraction (no value is beyond 1, unless --unit says it)",
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


def test_gaps_are_filled_by_main_effects_before_grouping() -> None:
    # G = 0 + r + c with r = (1, 0, -1), c = (2, 0, -2) in every cell: a gap's value is known
    row, column = np.array([0.1, 0.0, -0.1, 0.0]), np.array([0.2, 0.0, -0.2, 0.0])
    values = row[:, None] + column
    values[0, 1] = np.nan
    np.fill_diagonal(values, np.nan)
    matrix = RelevanceMatrix.from_array(values, list("abcd"), "own", {"file": "m.csv"})
    filled, notes = complete(matrix)
    assert filled.to_frame().loc["a", "b"] == pytest.approx(0.1)
    assert (np.diag(filled.to_frame()) == 0).all()  # gains: no gain on itself
    assert notes == ("1 missing values are filled from their source's and target's mean effects",)
