"""Files of rows: parquet, comma-separated, JSON lines. Each ends as an arrow table."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from hmnet.errors import InputError, first_line, shorten
from hmnet.storage import limits
from hmnet.study.tasks import Task

SUFFIXES = (".parquet", ".csv", ".jsonl")
"""Formats of local files, in the order in which they are looked for."""

_CSV_BLOCK_BYTES = limits.MAX_LINE_CHARS  # a row must fit into a block
_BATCH_ROWS = 1024  # few, since a value that a file holds once may stand in all of them


@dataclass(frozen=True)
class Rows:
    """A split as it was read.

    Attributes:
        table: those columns that the task needs.
        names: of all columns that there are.
        has_types: False where every value is a string, as in a comma-separated file.
        class_names: the label's classes by code, where the source names them.
        lines: the line of a text file on which each row begins, [N].
        notes: a sentence for whatever was read in another way than the suffix says.
    """

    table: pa.Table
    names: tuple[str, ...]
    has_types: bool = True
    class_names: tuple[str, ...] | None = None
    lines: npt.NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()

    def describe_place(self, row: int) -> str:
        """Return how a message names a row: by its number, from 0, and its line if it has one."""
        if self.lines is None:
            return f"row {row} (the first is row 0)"
        return f"row {row} (line {self.lines[row]} of the file)"


def read_file(path: Path, task: Task, where: str) -> Rows:
    """Read the columns that a task needs from a file whose suffix is one of `SUFFIXES`.

    Args:
        where: how an error names the file.

    Raises:
        InputError: if the file cannot be read, is not of its format, or beyond a limit
            (`hmnet.storage.limits`).
    """
    readers = {".parquet": _read_parquet, ".csv": _read_csv, ".jsonl": _read_jsonl}
    try:
        limits.check_most(path.stat().st_size, limits.MAX_FILE_BYTES, "bytes")
        rows = readers[path.suffix](path, task)
        limits.check_most(rows.table.num_rows, limits.MAX_ROWS, "rows")
        return rows
    except limits.LimitError as error:
        raise InputError(f"{where}: {error}") from None
    except (OSError, UnicodeError, pa.ArrowException, csv.Error, _FormatError) as error:
        raise InputError(
            f"{where}: the file should be {path.suffix[1:]}. Found: {first_line(error)}"
        ) from error


class _FormatError(Exception):
    """A file that is not of its format, in one sentence."""


def list_needed(names: Sequence[str], task: Task) -> list[str]:
    """Return those columns of `names` that a task reads, whole or a field of."""
    wanted = (*task.text, task.label, *task.question)
    return [name for name in names if any(f"{w}.".startswith(f"{name}.") for w in wanted)]


def _read_parquet(path: Path, task: Task) -> Rows:
    try:
        with pq.ParquetFile(path) as file:
            names = tuple(file.schema_arrow.names)
            needed = list_needed(names, task)
            limits.check_footer(file.metadata)
            table = _read_columns(file, needed)
        table.validate(full=True)
    except limits.LimitError:
        raise
    except Exception as error:  # a damaged file raises nearly anything
        raise _FormatError(first_line(error)) from error
    return Rows(table, names)


def _read_columns(file: pq.ParquetFile, needed: list[str]) -> pa.Table:
    """Read columns piece by piece, so that a file that unfolds without end is left in time."""
    batches, size = [], 0
    for batch in file.iter_batches(_BATCH_ROWS, columns=needed) if needed else ():
        batches.append(_unfold(batch))
        size += batches[-1].nbytes
        limits.check_most(size, limits.MAX_TABLE_BYTES, "bytes, unpacked")
    return pa.Table.from_batches(batches) if batches else file.read(columns=needed)


def _unfold(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Undo the dictionary encoding of columns: each value counts where it stands."""
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _read_csv(path: Path, task: Task) -> Rows:
    """Read a comma-separated file with a header; every column as strings, none of them null."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = tuple(next(csv.reader(limits.read_lines(file)), ()))
    if not names:
        raise _FormatError("an empty file, without a header")
    needed = [name for name in list_needed(names, task) if names.count(name) == 1]
    table = _read_csv_columns(path, needed)
    return Rows(table if needed else table.select([]), names, has_types=False)


def _read_csv_columns(path: Path, needed: list[str]) -> pa.Table:
    options = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(needed, pa.string()), include_columns=needed
    )
    try:
        return pa_csv.read_csv(
            path,
            read_options=pa_csv.ReadOptions(block_size=_CSV_BLOCK_BYTES),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=options,
        )
    except pa.ArrowInvalid as error:
        if "straddl" not in str(error):
            raise
        raise limits.LimitError(
            f"the file should have rows of at most {_CSV_BLOCK_BYTES:,} bytes. Found a longer one, "
            "or a quote that does not end."
        ) from None


def _read_jsonl(path: Path, task: Task) -> Rows:
    """Read one JSON object per line; empty lines do not count as rows."""
    with path.open(encoding="utf-8-sig") as file:
        lines = enumerate(limits.read_lines(file), start=1)
        objects = []
        for number, line in lines:
            if line.strip():
                objects.append(_parse_line(line, number))
                limits.check_most(len(objects), limits.MAX_ROWS, "rows")
    names = tuple(dict.fromkeys(name for row in objects for name in row))
    needed = list_needed(names, task)
    columns = [_to_arrow([row.get(name) for row in objects], name) for name in needed]
    return Rows(pa.table(columns, names=needed), names)


def _parse_line(line: str, number: int) -> dict[str, Any]:
    limits.check_depth(line, number)
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _FormatError(f"line {number}: {first_line(error)}") from None
    if not isinstance(content, dict):
        raise _FormatError(f"line {number}: {shorten(content)}, which is no JSON object.")
    return content


def _to_arrow(values: list[Any], name: str) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError) as error:
        kinds = [type(value) for value in values]
        given = next((kind for kind in kinds if kind is not type(None)), type(None))
        odd = next((i for i, k in enumerate(kinds) if k not in (given, type(None))), None)
        found = first_line(error) if odd is None else f"`{shorten(values[odd])}` in row {odd}"
        raise _FormatError(
            f"column `{name}`, which should hold values of one type: {found}"
        ) from error
