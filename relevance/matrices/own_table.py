"""A matrix that was measured elsewhere, from a table of text: square, or a row per pair."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hmnet.data.delimited import DELIMITERS
from hmnet.data.text_files import FormatError, find_encoding, open_text
from hmnet.errors import InputError, raise_problems, shorten
from hmnet.storage.documents import MAX_DOCUMENT_BYTES
from hmnet.storage.limits import LimitError, check_most
from hmnet.storage.regular_files import check_regular
from relevance.matrices.gain_table import GAINS
from relevance.matrices.matrix import RelevanceMatrix

PAIR = ("source", "target")
VALUES = ("value", "gain", "value %", "gain %")
"""What the third column of a row per pair may be called, or the first cell of a square table."""
MEASURE = "own"
MOST_MISSING = 0.02
"""Share of the cells off the diagonal that may be empty."""
_EMPTY = ("", "nan", "na", "n/a", "none", "null", "-")
_LAYOUTS = (
    "a square table (sources in the first column, targets in the first row), or one with the "
    "columns source, target and value; gains are called so by `gain` in place of `value` or in the "
    "first cell, percent by `%`"
)

Cells = dict[tuple[str, str], float]


def is_own_table(path: Path) -> bool:
    """Tell whether a file's suffix is that of a table of text."""
    return path.suffix.lower() in DELIMITERS


def read_own_table(path: Path) -> RelevanceMatrix:
    """Read a matrix of one's own; its measure is `own`.

    Raises:
        InputError: with every problem of the table.
    """
    rows = _read_rows(path)
    header = [name.strip() for name in rows[0]] if rows else []
    kind = ""
    if [name.lower() for name in header[:2]] == list(PAIR) and _name_values(header) in VALUES:
        kind = _name_values(header)
        tasks, cells, problems = _read_pairs(rows[1:], path)
    elif len(header) > 2 and len(rows) == len(header):
        kind = header[0].lower()
        tasks, cells, problems = _read_square(header[1:], rows[1:], path)
    else:
        raise InputError(f"{path}: the file should be {_LAYOUTS}. Found `{_show(header)}`.")
    missing = [(s, t) for s in tasks for t in tasks if s != t and (s, t) not in cells]
    if len(missing) > MOST_MISSING * len(tasks) * (len(tasks) - 1):
        problems.append(
            f"{path}: the table should hold each ordered pair of its {len(tasks)} tasks. Missing: "
            f"{', '.join(f'{s} to {t}' for s, t in missing[:5])}{', ...' if missing[5:] else ''}."
        )
    raise_problems(problems)
    values = np.array(_fill(tasks, cells)) / (100 if "%" in kind else 1)
    holds = {"holds": GAINS} if "gain" in kind else {}
    return RelevanceMatrix.from_array(values, tasks, MEASURE, {"file": path.name, **holds})


def _name_values(header: list[str]) -> str:
    """Return what the third column is called, lower case."""
    return " ".join(header[2].lower().replace("%", " %").split()) if len(header) > 2 else ""


def _show(header: list[str]) -> str:
    return shorten("".join(c if c.isprintable() else "?" for c in ",".join(header)))


def _read_rows(path: Path) -> list[list[str]]:
    try:
        check_most(check_regular(path), MAX_DOCUMENT_BYTES, "bytes")
        with open_text(path, find_encoding(path)) as file:
            text = file.read(MAX_DOCUMENT_BYTES + 1)
        check_most(len(text), MAX_DOCUMENT_BYTES, "characters")
    except LimitError as error:
        raise InputError(f"{path}: {error}") from None
    except (FormatError, OSError, UnicodeError) as error:
        raise InputError(f"{path}: the file should be a table of text. Found: {error}") from None
    first = text.splitlines()[0] if text.strip() else ""
    delimiter = max((",", ";", "\t"), key=first.count)
    try:
        rows = list(csv.reader(text.splitlines(), delimiter=delimiter))
    except csv.Error as error:
        raise InputError(f"{path}: the file should be a table of text. Found: {error}.") from None
    return [row for row in rows if any(value.strip() for value in row)]


def _read_pairs(rows: list[list[str]], path: Path) -> tuple[list[str], Cells, list[str]]:
    cells: Cells = {}
    problems: list[str] = []
    names: dict[str, None] = {}
    for number, row in enumerate(rows, start=1):
        source, target, value = ([cell.strip() for cell in row] + ["", "", ""])[:3]
        names |= {source: None, target: None}
        if (source, target) in cells:
            problems.append(f"{path}: {source} to {target} should stand once. Found it twice.")
        _put(cells, (source, target), value, problems, f"{path}: row {number}")
    return list(names), cells, problems


def _read_square(
    targets: list[str], rows: list[list[str]], path: Path
) -> tuple[list[str], Cells, list[str]]:
    sources = [row[0].strip() for row in rows]
    problems = []
    if sorted(sources) != sorted(targets) or len(set(targets)) < len(targets):
        problems.append(
            f"{path}: the first column and the first row should name the same tasks. Found "
            f"{sources} and {targets}."
        )
    cells: Cells = {}
    for source, row in zip(sources, rows, strict=True):
        for target, value in zip(targets, [*row[1:], *[""] * len(targets)], strict=False):
            where = f"{path}: {source} to {target}"
            _put(cells, (source, target), value.strip(), problems, where)
    return sources, cells, problems


def _put(cells: Cells, pair: tuple[str, str], value: str, problems: list[str], where: str) -> None:
    """Keep a value; an empty one is missing, and a task with itself means nothing."""
    if value.lower() in _EMPTY:
        return
    share = 100 if value.endswith("%") else 1
    try:
        number = float(value.removesuffix("%")) / share
    except ValueError:
        problems.append(f"{where} should be a number. Found `{shorten(value)}`.")
        return
    if np.isfinite(number):
        cells[pair] = number
    elif pair[0] != pair[1]:
        problems.append(f"{where} should be a finite number. Found `{value}`.")


def _fill(tasks: list[str], cells: Mapping[tuple[str, str], float]) -> list[list[float]]:
    return [[cells.get((s, t), np.nan) for t in tasks] for s in tasks]
