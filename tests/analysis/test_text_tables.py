"""Tables fit 80 columns whatever they hold, and no number runs into its neighbour."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.text_tables import WIDTH, format_rows, format_square

PAPER = ["boolq", "cb", "imdb", "mnli", "mrpc", "multirc", "qnli", "qqp", "rte", "snli", "sst2",
         "stsb", "wnli"]  # fmt: skip


def make(size: int, names: list[str] | None = None) -> pd.DataFrame:
    values = np.random.default_rng(0).normal(0, 20, (size, size))
    names = names or [f"a-rather-long-name-{i}" for i in range(size)]
    return pd.DataFrame(values, names, names)


@pytest.mark.parametrize("size", [1, 2, 5, 13, 22, 60])
def test_a_table_of_any_size_fits(size: int) -> None:
    text = format_square(make(size), "gain of column from row, %")
    assert max(map(len, text.splitlines())) <= WIDTH
    assert len(text.splitlines()) >= size + 2


def test_the_paper_s_thirteen_tasks_fit_with_marks_and_one_block() -> None:
    frame = make(13, PAPER)
    marks = pd.DataFrame("*", frame.index, frame.columns)
    lines = format_square(frame, "gain of column from row, %", marks).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert len(lines) == 1 + 1 + 13  # title, names, rows
    assert lines[2].startswith("1 boolq")
    assert lines[1].split() == [str(i) for i in range(1, 14)]


def test_every_value_is_there_in_blocks() -> None:
    frame = make(22)
    shown = format_square(frame, "x, %")
    for value in frame.to_numpy().ravel():
        assert f"{value:.1f}" in shown or f"{value:.0f}" in shown


def test_rows_and_columns_of_other_names_are_numbered_with_a_legend() -> None:
    frame = make(13, PAPER).rename(index={name: f"source-{name}" for name in PAPER})
    text = format_square(frame, "gain")
    assert "columns: 1 boolq, 2 cb" in text
    assert max(map(len, text.splitlines())) <= WIDTH


def test_a_missing_value_is_blank_and_zero_has_no_sign() -> None:
    frame = pd.DataFrame([[np.nan, -0.01]], ["a"], ["b", "c"])
    assert format_square(frame, "t").splitlines()[-1].split() == ["a", "0.0"]


def test_titles_break_between_words() -> None:
    text = format_square(make(2), "gain-of-column from row, in percent of its own score; " * 3)
    assert all(line == line.rstrip() and len(line) <= WIDTH for line in text.splitlines())
    assert "gain-of-column" in text


def test_a_wide_list_of_rows_is_folded() -> None:
    frame = pd.DataFrame({f"a long column {i}": ["some text"] * 3 for i in range(9)})
    assert max(map(len, format_rows(frame, "title").splitlines())) <= WIDTH
