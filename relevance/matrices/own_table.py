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
from hmnet.storage.regular import check_regular
from relevance.matrices.matrix import RelevanceMatrix

PAIR = ("source", "target", "value")
MEASURE = "own"
_LAYOUTS = (
    "a square table (sources in the first column, targets in the first row), or one with the "
    "columns source, target and value"
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
    if [name.lower() for name in header[:3]] == list(PAIR):
        tasks, cells, problems = _read_pairs(rows[1:], path)
    elif len(header) > 2 and len(rows) == len(header):
        tasks, cells, problems = _read_square(header[1:], rows[1:], path)
    else:
        raise InputError(f"{path}: the file should be {_LAYOUTS}. Found `{_show(header)}`.")
    missing = [(s, t) for s in tasks for t in tasks if s != t and (s, t) not in cells]
    problems += [
        f"{path}: the table should hold each ordered pair of its {len(tasks)} tasks. Missing: "
        f"{', '.join(f'{s} to {t}' for s, t in missing[:5])}{', ...' if missing[5:] else ''}."
        for _ in missing[:1]
    ]
    raise_problems(problems)
    return RelevanceMatrix.from_array(_fill(tasks, cells), tasks, MEASURE, {"file": path.name})


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
    """Keep a value; an empty one of a task with itself is none."""
    try:
        cells[pair] = float(value)
    except ValueError:
        if value or pair[0] != pair[1]:
            problems.append(f"{where} should be a number. Found `{shorten(value)}`.")
        return
    if not np.isfinite(cells[pair]):
        problems.append(f"{where} should be a finite number. Found `{value}`.")


def _fill(tasks: list[str], cells: Mapping[tuple[str, str], float]) -> list[list[float]]:
    return [[cells.get((s, t), np.nan) for t in tasks] for s in tasks]
