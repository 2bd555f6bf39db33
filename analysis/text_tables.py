"""Tables as text that fits a terminal: 80 columns, however many tasks there are.

>>> import pandas as pd
>>> frame = pd.DataFrame([[0.0, 12.34], [-5.5, 0.0]], ["sst2", "rte"], ["sst2", "rte"])
>>> print(format_square(frame, "gain of column from row, %"))
gain of column from row, %
      sst2   rte
sst2   0.0  12.3
rte   -5.5   0.0
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

WIDTH = 80


def format_square(
    frame: pd.DataFrame,
    title: str,
    marks: pd.DataFrame | None = None,
    decimals: int = 1,
    width: int = WIDTH,
) -> str:
    """Return a table of numbers with names on both sides, under a title that breaks between words.

    Where it is too wide, columns are named by the numbers of the rows, or by numbers that are
    listed; then decimals go; then it is cut into blocks of columns.

    Args:
        frame: numbers, [R, C]; NaN is left blank.
        title: what the numbers are, their unit and their direction.
        marks: one character for each cell, which stands behind it; None for none.
        decimals: most that are shown.
    """
    names = [str(name) for name in frame.columns]
    rows = [str(name) for name in frame.index]
    lines = textwrap.wrap(title, width, break_long_words=False, break_on_hyphens=False)
    cells = _format_cells(frame, marks, decimals)
    table = _lay_out(rows, names, cells)
    if _measure(table) > width:
        rows, names, legend = _number(rows, names, width)
        lines += legend
        for fewer, gap in itertools.product(range(decimals, -1, -1), (2, 1)):
            table = _lay_out(rows, names, _format_cells(frame, marks, fewer), gap)
            if _measure(table) <= width:
                break
        else:
            table = list(_cut(rows, names, _format_cells(frame, marks, decimals), width))
    return "\n".join([*lines, *table])


def format_rows(frame: pd.DataFrame, title: str = "", width: int = WIDTH) -> str:
    """Return a table with a row per record; what does not fit follows, column by column, below.

    Args:
        frame: texts and numbers, as they are to be shown.
        title: what the rows are.
    """
    lines = textwrap.wrap(title, width, break_long_words=False, break_on_hyphens=False)
    text = frame.to_string(index=False, line_width=width, na_rep="")
    return "\n".join([*lines, text])


def _format_cells(
    frame: pd.DataFrame, marks: pd.DataFrame | None, decimals: int
) -> list[list[str]]:
    values = frame.to_numpy(np.float64)
    texts = [[_format(value, decimals) for value in row] for row in values]
    signs = [] if marks is None else marks.to_numpy().tolist()
    if not any(sign.strip() for row in signs for sign in row):
        return texts
    return [[t + s for t, s in zip(*both, strict=True)] for both in zip(texts, signs, strict=True)]


def _format(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return "" if np.isnan(value) else text.removeprefix("-") if float(text) == 0 else text


def _lay_out(
    rows: Sequence[str], names: Sequence[str], cells: list[list[str]], gap: int = 2
) -> list[str]:
    """Return lines: names to the left and above, numbers aligned to the right."""
    first = max((len(name) for name in rows), default=0)
    columns = zip(names, *cells, strict=True)
    widths = [gap + max(map(len, column)) for column in columns]
    table = zip(("", *rows), (names, *cells), strict=True)
    lines = (
        name.ljust(first) + "".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True))
        for name, row in table
    )
    return [line.rstrip() for line in lines]


def _measure(table: Sequence[str]) -> int:
    return max(map(len, table), default=0)


def _number(
    rows: list[str], names: list[str], width: int
) -> tuple[list[str], list[str], list[str]]:
    """Return rows and columns with numbers, and the lines that say which these are."""
    if rows == names:
        return [f"{i} {name}" for i, name in enumerate(rows, 1)], _count(names), []
    listed = ", ".join(f"{i} {name}" for i, name in enumerate(names, 1))
    legend = textwrap.wrap(f"columns: {listed}", width, break_long_words=False)
    return rows, _count(names), legend


def _count(names: Sequence[str]) -> list[str]:
    return [str(i) for i in range(1, len(names) + 1)]


def _cut(
    rows: Sequence[str], names: Sequence[str], cells: list[list[str]], width: int
) -> Iterator[str]:
    """Yield the lines of blocks of columns that each fit."""
    begin = 0
    while begin < len(names):
        end = len(names)
        while end > begin + 1:
            block = _lay_out(rows, names[begin:end], [row[begin:end] for row in cells])
            if _measure(block) <= width:
                break
            end -= 1
        yield from _lay_out(rows, names[begin:end], [row[begin:end] for row in cells])
        begin = end
