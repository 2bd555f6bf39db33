"""What a column of a table is likely to be: a text, a label, a number, a date, an identifier.

>>> import pandas as pd
>>> look_at("stars", pd.Series(["1", "5", "4"] * 20)).role
'classes'
>>> look_at("sent", pd.Series([f"2024-05-{d:02d}" for d in range(1, 29)])).role
'date'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from hmnet.data.label_sets import parse_list

Role = Literal[
    "text", "classes", "values", "sets", "date", "id", "constant", "many classes", "empty"
]
MOST_CLASSES = 200
"""Different values from which a column of names is no label."""
MOST_NUMBERED_CLASSES = 20
"""Different whole numbers up to which they are classes, not a value."""
LEAST_REPEATS = 3
"""Rows per different value from which a column of names is a label."""
_TEXT_WORDS = 2.5
"""Words of a value, on average, from which a column is a text."""
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}( .*)?"
    r"|\d{2}:\d{2}(:\d{2})?"
)
_DATE_SHARE = 0.95


@dataclass(frozen=True)
class Column:
    """A column, and what it is likely to be.

    Attributes:
        name: its name.
        role: what it is taken for.
        distinct: number of different values.
        reason: why, in a few words.
    """

    name: str
    role: Role
    distinct: int
    reason: str


def look_at(name: str, values: pd.Series) -> Column:
    """Return what a column of texts is likely to be.

    Args:
        values: its cells as text; "" where there is none.
    """
    known = values[values != ""]
    if len(known) and known.str.startswith("[").all():
        return _look_at_lists(name, known)
    distinct = int(known.nunique())
    if not len(known):
        return Column(name, "empty", 0, "no value")
    if distinct == 1:
        return Column(name, "constant", 1, "one value in every row")
    if known.str.fullmatch(_DATE).mean() >= _DATE_SHARE:
        return Column(name, "date", distinct, "dates")
    numbers = pd.to_numeric(known, errors="coerce")
    if numbers.notna().all() and np.isfinite(numbers).all():
        return _look_at_numbers(name, numbers, distinct)
    return _look_at_words(name, known, distinct)


def find_elements(known: pd.Series) -> list[list[str]]:
    """Return what each cell of a column of lists holds.

    >>> find_elements(pd.Series(["['a', 'b']", "[]"]))
    [['a', 'b'], []]
    """
    return [[str(each) for each in parse_list(cell)] for cell in known]


def _look_at_lists(name: str, known: pd.Series) -> Column:
    """Lists of few different values, each once a row, are labels; others are no label here."""
    rows = find_elements(known)
    elements = {each for row in rows for each in row}
    repeats = sum(map(len, rows)) / max(len(elements), 1)
    is_set = all(len(set(row)) == len(row) for row in rows) and len(elements) <= MOST_CLASSES
    if is_set and len(elements) > 1 and repeats >= LEAST_REPEATS:
        most = f"{len(elements)} values, {sum(map(len, rows)) / len(rows):.1f} a row"
        return Column(name, "sets", len(elements), f"lists of {most}")
    return Column(name, "many classes", len(elements), "lists, not of a few labels")


def _look_at_numbers(name: str, numbers: pd.Series, distinct: int) -> Column:
    is_whole = bool((numbers % 1 == 0).all())
    if is_whole and distinct == len(numbers) and distinct > MOST_NUMBERED_CLASSES:
        return Column(name, "id", distinct, "whole numbers, each once")
    if is_whole and distinct <= MOST_NUMBERED_CLASSES:
        return Column(name, "classes", distinct, f"{distinct} different whole numbers")
    return Column(name, "values", distinct, f"numbers, {distinct:,} different ones")


def _look_at_words(name: str, known: pd.Series, distinct: int) -> Column:
    words = float((known.str.count(r"\s+") + 1).mean())
    repeats = len(known) / distinct
    if repeats >= LEAST_REPEATS and distinct <= MOST_CLASSES and words < 2 * _TEXT_WORDS:
        counts = known.value_counts()
        least, most = int(counts.min()), int(counts.max())
        rows = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        return Column(name, "classes", distinct, f"{distinct} values, {rows} rows each")
    if words >= _TEXT_WORDS:
        return Column(name, "text", distinct, f"{words:.0f} words a row")
    if distinct == len(known):
        return Column(name, "id", distinct, "short values, each once")
    return Column(
        name, "many classes", distinct, f"{distinct:,} short values, {repeats:.1f} rows each"
    )
