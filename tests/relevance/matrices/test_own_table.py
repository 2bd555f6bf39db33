"""A matrix that was measured elsewhere has a way in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from relevance.matrices.own_table import read_own_table
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
    assert frame.loc["x", "y"] == 1.5  # sources are rows
    assert frame.loc["y", "x"] == 0.25
    assert np.nan_to_num(np.diag(frame)).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (SQUARE.replace("z,4", "w,4"), "should name the same tasks"),
        (SQUARE.replace("1.5", "much"), "x to y should be a number. Found `much`"),
        (SQUARE.replace("1.5", "inf"), "x to y should be a finite number"),
        ("source,target,value\na,b,1\nb,c,2\n", "Missing: a to c, b to a, c to a, c to b"),
        ("source,target,value\na,b,1\nb,a,2\na,b,3\n", "should stand once"),
        ("a,b\n1,2\n", "a square table"),
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
