"""Rows in JSON: one object a line, or one document of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from hmnet.data.rows import Rows, list_needed
from hmnet.data.text_files import FormatError, find_encoding, open_text
from hmnet.errors import first_line, shorten
from hmnet.storage import limits

_MOST_DOCUMENT_CHARS = 256 * 2**20


def read_jsonl_rows(path: Path, wanted: Sequence[str]) -> Rows:
    """Read one JSON object per line; empty lines do not count as rows.

    Raises:
        FormatError: that names the first line that is no object.
        LimitError: if the file is beyond a limit.
    """
    encoding = find_encoding(path)
    objects, places = [], []
    with open_text(path, encoding) as file:
        for number, line in enumerate(limits.read_lines(file), start=1):
            if line.strip():
                objects.append(_parse_line(line, number))
                places.append(number)
                limits.check_most(len(objects), limits.MAX_ROWS, "rows")
    lines = np.array(places, dtype=np.int64)
    notes = () if encoding.note is None else (f"`{path.name}` is {encoding.note}",)
    names = tuple(dict.fromkeys(name for row in objects for name in row))
    needed = list_needed(names, wanted)
    columns = [to_arrow([row.get(name) for row in objects], name, places) for name in needed]
    return Rows(pa.table(columns, names=needed), names, lines=lines, notes=notes)


def read_json_rows(path: Path, wanted: Sequence[str]) -> Rows:
    """Read a JSON document of rows: a list of objects, or a table of columns; or lines of objects.

    Raises:
        FormatError: if it is neither.
        LimitError: if the file is beyond a limit.
    """
    encoding = find_encoding(path)
    with open_text(path, encoding) as file:
        text = file.read(_MOST_DOCUMENT_CHARS + 1)
    limits.check_most(len(text), _MOST_DOCUMENT_CHARS, "characters; write one object a line")
    limits.check_depth(text, 1)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        if "Extra data" in str(error):
            return read_jsonl_rows(path, wanted)
        raise FormatError(first_line(error)) from None
    if isinstance(content, dict) and not isinstance(
        next(iter(content.values()), None), list | dict
    ):
        return read_jsonl_rows(path, wanted)  # a single row
    columns = _to_columns(content)
    needed = list_needed(list(columns), wanted)
    arrays = [to_arrow(columns[name], name, ()) for name in needed]
    notes = () if encoding.note is None else (f"`{path.name}` is {encoding.note}",)
    return Rows(pa.table(arrays, names=needed), tuple(columns), notes=notes)


def _to_columns(content: object) -> dict[str, list[object]]:
    """Return columns by name of a list of objects, of columns, or of a single key over those."""
    if isinstance(content, dict) and len(content) == 1:
        (inner,) = content.values()
        if isinstance(inner, list) and all(isinstance(row, dict) for row in inner):
            content = inner  # {"data": [...]}
    if isinstance(content, list):
        odd = next((i for i, row in enumerate(content) if not isinstance(row, dict)), None)
        if odd is not None:
            raise FormatError(f"`{shorten(content[odd])}` as row {odd}, which is no JSON object")
        names = dict.fromkeys(name for row in content for name in row)
        return {name: [row.get(name) for row in content] for name in names}
    if isinstance(content, dict):
        return _align_columns(content)
    raise FormatError(f"`{shorten(content)}` in place of a list of JSON objects")


def _align_columns(content: dict[str, object]) -> dict[str, list[object]]:
    """Return columns that are lists of one length, or objects with the same keys (pandas)."""
    objects = {name: column for name, column in content.items() if isinstance(column, dict)}
    lists = {name: column for name, column in content.items() if isinstance(column, list)}
    are_alike = len(content) in (len(objects), len(lists)) and (
        len({tuple(column) for column in objects.values()}) == 1
        or len({len(column) for column in lists.values()}) == 1
    )
    if not are_alike:
        raise FormatError(
            f"the keys {', '.join(map(shorten, list(content)[:6]))}, which are no columns of one "
            "length: a document should be a list of objects, or an object of columns"
        )
    return lists or {name: list(column.values()) for name, column in objects.items()}


def _parse_line(line: str, number: int) -> dict[str, object]:
    limits.check_depth(line, number)
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        is_list = number == 1 and line.lstrip().startswith("[")
        way = ". A list of all rows is read from a file named .json" if is_list else ""
        raise FormatError(f"line {number}: {first_line(error)}{way}") from None
    if not isinstance(content, dict):
        raise FormatError(f"line {number}: {shorten(content)}, which is no JSON object.")
    return content


def to_arrow(values: list[object], name: str, lines: Sequence[int]) -> pa.Array:
    """Return values of one type as an arrow array.

    Raises:
        FormatError: that names the first value of another type, and its line where there are any.
    """
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError) as error:
        kinds = [type(value) for value in values]
        given = next((kind for kind in kinds if kind is not type(None)), type(None))
        odd = next((i for i, k in enumerate(kinds) if k not in (given, type(None))), None)
        found = first_line(error) if odd is None else f"`{shorten(values[odd])}` in row {odd}"
        line = f" (line {lines[odd]} of the file)" if odd is not None and len(lines) else ""
        raise FormatError(
            f"column `{name}`, which should hold values of one type: {found}{line}"
        ) from error
