r"""A table that some other tool wrote: csv, tsv, json or parquet, read as text, column by column.

>>> from pathlib import Path
>>> _ = Path("scores.csv").write_text("Target;score\nrte;66.1\nmrpc;\n")
>>> read_plain(Path("scores.csv")).rename(columns=str.lower).to_dict("list")
{'target': ['rte', 'mrpc'], 'score': ['66.1', '']}
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.arrays import Floats
from hmnet.data.file_formats import SUFFIXES, read_file, split_name
from hmnet.errors import InputError, shorten

_INDEX = re.compile(r"__index_level_\d+__")
NO_VALUE = ("", "-", "–", "na", "n/a", "nan", "none", "null")
"""Texts, case aside, that stand for no value."""


def is_plain(path: Path) -> bool:
    """Tell whether a file's name is that of a table."""
    return bool(split_name(path)[1])


def read_plain(path: Path) -> pd.DataFrame:
    """Return every column of a table as text, without spaces around it; no value is "".

    Raises:
        InputError: if the file is missing, is no table, holds a column's name twice or no row.
    """
    if not path.exists():
        raise InputError(f"{path}: the file does not exist.")
    if not is_plain(path):
        raise InputError(
            f"{path}: the file should be a table: {', '.join(SUFFIXES)}. Found another ending."
        )
    names = read_file(path, (), str(path)).names
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(
            f"{path}: the table should name each column once. Found `{'`, `'.join(doubled)}` twice."
        )
    table = read_file(path, names, str(path)).table
    if not table.num_rows or not table.num_columns:
        raise InputError(f"{path}: the table should hold rows. Found none.")
    ordered = sorted(table.column_names, key=lambda name: not _INDEX.fullmatch(name))
    columns = {name: _to_texts(table.column(name).to_pylist()) for name in ordered}
    return pd.DataFrame(columns, dtype=object)


def _to_texts(values: Iterable[object]) -> list[str]:
    return ["" if value is None else str(value).strip() for value in values]


def find_column(frame: pd.DataFrame, *names: str) -> str | None:
    """Return the column with one of these names, case aside; the first name that is there."""
    folded = {str(column).strip().casefold(): str(column) for column in frame.columns}
    return next((folded[name] for name in names if name in folded), None)


def to_number(text: str) -> float | None:
    """Return the number that a cell holds, NaN for none; None where it is another text.

    >>> to_number("5.9 %"), to_number("n/a"), to_number("much")
    (5.9, nan, None)
    """
    if text.casefold() in NO_VALUE:
        return float("nan")
    try:
        number = float(text.rstrip("%").rstrip())
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def to_numbers(
    texts: Iterable[str],
    places: Iterable[str],
    problems: list[str],
    *,
    whole: bool = False,
    required: bool = False,
) -> Floats:
    """Return the numbers of cells, NaN for none; each other text becomes a problem.

    Args:
        places: what a message calls each cell.
        problems: where sentences are added.
        whole: whether each should be a whole number.
        required: whether no value is a problem too.
    """
    kind = "whole number" if whole else "number"
    found = []
    for text, place in zip(texts, places, strict=True):
        number = to_number(text)
        is_missing = number is not None and np.isnan(number)
        is_whole = number is None or is_missing or number.is_integer()
        if number is None or (whole and not is_whole) or (required and is_missing):
            problems.append(f"{place} should be a {kind}. Found `{shorten(text)}`.")
        found.append(float("nan") if number is None else number)
    return np.array(found, dtype=np.float64)
