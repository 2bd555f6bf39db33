"""Files of rows, by their suffix: parquet, delimited text, JSON, CoNLL. Each ends as a table."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hmnet.data import json_rows
from hmnet.data.conll import CONLL_SUFFIXES, read_conll
from hmnet.data.delimited import DELIMITERS, read_delimited
from hmnet.data.rows import Rows, list_needed
from hmnet.data.text_files import FormatError
from hmnet.errors import InputError, first_line
from hmnet.storage import limits
from hmnet.storage.regular_files import POINTER, check_regular, open_regular

SUFFIXES = (".parquet", ".csv", ".jsonl", ".tsv", ".json")
"""Formats of tables, in the order in which they are looked for."""
FILE_SUFFIXES = (*SUFFIXES, *CONLL_SUFFIXES)
"""The same, and after them those of words with tags, whose columns are lists."""
PACKED = ".gz"
"""What may follow the suffix of a text file."""

_BATCH_ROWS = 1024  # few, since a value that a file holds once may stand in all of them


def split_name(path: Path) -> tuple[str, str]:
    """Return a file's stem and its suffix, one of `FILE_SUFFIXES`, or "" for others.

    Case and packing do not count.

    >>> split_name(Path("rows/train.CSV.gz"))
    ('train', '.csv')
    """
    name = path.name
    if name.lower().endswith(PACKED):
        name = name[: -len(PACKED)]
    suffix = Path(name).suffix.lower()
    is_packed_table = suffix == ".parquet" and name != path.name
    if suffix not in FILE_SUFFIXES or is_packed_table:
        return path.name, ""
    return name[: -len(suffix)], suffix


def read_file(path: Path, wanted: Sequence[str], where: str) -> Rows:
    """Read those columns of a file that are wanted; its suffix is one of `FILE_SUFFIXES`.

    Args:
        wanted: columns that are asked for, or fields of columns.
        where: how an error names the file.

    Raises:
        InputError: if the file cannot be read, is not of its format, or beyond a limit
            (`hmnet.storage.limits`).
    """
    suffix = split_name(path)[1]
    try:
        limits.check_most(check_regular(path), limits.MAX_FILE_BYTES, "bytes")
        _check_content(path)
        rows = _find_reader(suffix)(path, wanted)
        limits.check_most(rows.table.num_rows, limits.MAX_ROWS, "rows")
        return rows
    except limits.LimitError as error:
        raise InputError(f"{where}: {error}") from None
    except (OSError, UnicodeError, pa.ArrowException, csv.Error, FormatError) as error:
        raise InputError(
            f"{where}: the file should be {suffix[1:]}. Found: {first_line(error)}"
        ) from error


def _check_content(path: Path) -> None:
    """Refuse what often lies in the place of a file."""
    with open_regular(path) as file:
        first = file.read(64)
    if first.startswith(POINTER):
        raise FormatError("a pointer of Git LFS in place of the rows; `git lfs pull` fetches them")
    if first.startswith(b"PK\x03\x04"):
        raise FormatError("an archive or a spreadsheet; unpack it, or save the sheet as csv")
    if first.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise FormatError("a web page in place of the rows; download the file itself")
    suffix = split_name(path)[1]
    if suffix == ".parquet" and first and not first.startswith(b"PAR1"):
        raise FormatError("no parquet file; a table of text is read from .csv, .tsv or .jsonl")
    if suffix in DELIMITERS and _is_json(first):
        raise FormatError(
            "JSON in place of a table; lines of objects are read from a file named .jsonl, a list "
            "of them from .json"
        )


def _is_json(first: bytes) -> bool:
    """Tell whether a file begins as JSON objects or a list of them do."""
    return re.match(rb'(\xef\xbb\xbf)?\s*(\[\s*)?\{\s*"[^"]*"\s*:', first) is not None


def _find_reader(suffix: str) -> Callable[[Path, Sequence[str]], Rows]:
    if suffix in DELIMITERS:
        return lambda path, wanted: read_delimited(path, suffix, wanted)
    if suffix in CONLL_SUFFIXES:
        return lambda path, wanted: read_conll(path, suffix, wanted)
    readers = {".parquet": _read_parquet, ".jsonl": json_rows.read_jsonl_rows}
    return readers.get(suffix, json_rows.read_json_rows)


def _read_parquet(path: Path, wanted: Sequence[str]) -> Rows:
    try:
        with pq.ParquetFile(path) as file:
            names = tuple(file.schema_arrow.names)
            needed = list_needed(names, wanted)
            limits.check_footer(file.metadata)
            table = _read_columns(file, needed)
        table.validate(full=True)
    except limits.LimitError:
        raise
    except Exception as error:  # a damaged file raises nearly anything
        raise FormatError(first_line(error)) from error
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
