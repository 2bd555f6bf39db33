"""Tables of text with a delimiter: comma-separated, tab-separated and what spreadsheets make.

- The delimiter is the suffix's, unless another one makes a header with more of the columns that are
  asked for; `sep=;` in a first line says it. Where no header has any, clevercsv is asked, so that
  the message names the columns that there are.
- Quotes are read strictly: an open one, or text behind a closing one, is refused with its line. In
  a tab-separated file whose every line has the header's columns, quotes are plain characters then.
- No row is dropped: a line with another number of columns is refused.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from hmnet.data.rows import Rows, list_needed
from hmnet.data.text_files import Encoding, FormatError, describe_line, find_encoding, open_text
from hmnet.storage import limits

DELIMITERS = {".csv": ",", ".tsv": "\t"}
NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars", ":": "colons"}

_SEP_LINE = re.compile(r"sep=(.)\s*")
_ROWS_PER_CHUNK = 2**16  # bounds the memory of Python's own strings
_SAMPLE_LINES = 100
_SHOWN_LINES = 3


@dataclass(frozen=True)
class CsvDialect:
    """How the lines of a file become rows.

    Attributes:
        encoding: of the file.
        delimiter: one character between columns.
        skips_space: whether spaces behind a delimiter are left out.
        skips_lines: lines before the header.
        has_quotes: whether quotes hold a value together.
    """

    encoding: Encoding
    delimiter: str
    skips_space: bool = False
    skips_lines: int = 0
    has_quotes: bool = True


def read_delimited(path: Path, suffix: str, wanted: Sequence[str]) -> Rows:
    """Read columns of a delimited file with a header; every value as a string, none of them null.

    Args:
        suffix: `.csv` or `.tsv`.
        wanted: columns that are asked for, or fields of columns.

    Raises:
        FormatError: if the file cannot be read without doubt.
        LimitError: if it is beyond a limit.
    """
    encoding = find_encoding(path)
    dialect = _find_dialect(path, encoding, DELIMITERS[suffix], wanted)
    try:
        rows = _read(path, dialect, wanted)
        if _may_hide_rows(rows, path, dialect):
            raise FormatError(_describe_hidden(rows, dialect))
    except FormatError:
        if dialect.delimiter != "\t" or _count_plain(path, dialect) is None:
            raise
        dialect = replace(dialect, has_quotes=False)
        rows = _read(path, dialect, wanted)
    return replace(rows, notes=_describe(path, dialect, DELIMITERS[suffix]))


def _describe(path: Path, dialect: CsvDialect, expected: str) -> tuple[str, ...]:
    said = [dialect.encoding.note] if dialect.encoding.note else []
    if dialect.delimiter != expected:
        shown = NAMES.get(dialect.delimiter, f"`{dialect.delimiter}`")
        said.append(f"{'read ' if not said else ''}with {shown} between columns")
    if not dialect.has_quotes:
        said.append(f"{'read ' if not said else ''}with quotes as plain characters")
    return (f"`{path.name}` is {', '.join(said)}",) if said else ()


# The dialect


def _find_dialect(
    path: Path, encoding: Encoding, default: str, wanted: Sequence[str]
) -> CsvDialect:
    with open_text(path, encoding) as file:
        lines = list(islice(limits.read_lines(file), _SAMPLE_LINES))
    if lines and (said := _SEP_LINE.fullmatch(lines[0])):
        return CsvDialect(encoding, said[1], skips_lines=1)
    headers = {d: _split_header(lines, d) for d in dict.fromkeys((default, *NAMES))}
    if not lines or not any(headers[default]):
        raise FormatError("an empty file, without a header")
    counts = {d: _count_found(names, wanted) for d, names in headers.items()}
    best = max(counts, key=lambda d: counts[d])  # the suffix's own where several do as well
    if not counts[best] and len(headers[default]) == 1:
        best = _sniff(lines, default)
    spaced = any(name != name.lstrip() for name in headers.get(best, ()))
    return CsvDialect(encoding, best, skips_space=spaced and best != "\t")


def _split_header(lines: Sequence[str], delimiter: str) -> list[str]:
    try:
        return next(csv.reader(lines, delimiter=delimiter), [])
    except csv.Error:
        return []


def _count_found(names: Sequence[str], wanted: Sequence[str]) -> int:
    known = {name.strip() for name in names}
    return sum(column in known or column.partition(".")[0] in known for column in set(wanted))


def _sniff(lines: Sequence[str], default: str) -> str:
    import clevercsv

    try:
        found = clevercsv.Sniffer().sniff("".join(lines), delimiters=list(NAMES))
    except (clevercsv.Error, csv.Error):
        return default
    return str(found.delimiter) if found is not None and found.delimiter in NAMES else default


# Rows


def _read(path: Path, dialect: CsvDialect, wanted: Sequence[str]) -> Rows:
    with open_text(path, dialect.encoding) as file:
        records = _list_records(limits.read_lines(file), dialect)
        header = next(records, None)
        if header is None:
            raise FormatError("an empty file, without a header")
        names = _name_columns(header[1])
        needed = [name for name in list_needed(names, wanted) if names.count(name) == 1]
        table, lines = _gather(records, names, needed)
    return Rows(table, names, has_types=False, lines=lines)


def _name_columns(header: Sequence[str]) -> tuple[str, ...]:
    """Return the columns' names, without spaces around them; empty ones at the end are none."""
    names = [name.strip() for name in header]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise FormatError("an empty file, without a header")
    return tuple(names)


def _list_records(lines: Iterator[str], dialect: CsvDialect) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each record begins, from 1, and its values; empty lines are none.

    Raises:
        FormatError: if a quote is not closed, or something follows a closed one.
    """
    csv.field_size_limit(limits.MAX_LINE_CHARS)
    rest = islice(lines, dialect.skips_lines, None)
    reader = csv.reader(
        rest,
        delimiter=dialect.delimiter,
        skipinitialspace=dialect.skips_space,
        quoting=csv.QUOTE_MINIMAL if dialect.has_quotes else csv.QUOTE_NONE,
        strict=True,
    )
    while True:
        begin = reader.line_num + dialect.skips_lines + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise _explain(error, begin, reader.line_num + dialect.skips_lines, dialect) from None
        if record is None:
            return
        if any(value.strip() for value in record):
            yield begin, record


def _explain(error: csv.Error, begin: int, end: int, dialect: CsvDialect) -> Exception:
    if "field larger" in str(error):
        return limits.LimitError(
            f"the file should have values of at most {limits.MAX_LINE_CHARS:,} characters. Found "
            f"a longer one that begins in line {begin}, or a quote that does not end."
        )
    if "unexpected end" in str(error):
        return FormatError(
            f"a quote that opens in line {begin} and is not closed at the file's end (line {end}). "
            "Close it, or write a quote inside of a quoted text twice"
        )
    between = NAMES.get(dialect.delimiter, dialect.delimiter)
    since = f", of a value that may begin in line {begin}" if begin < end else ""
    return FormatError(
        f"text behind a closing quote in line {end}{since}. Where {between} are between columns, a "
        "quote inside of a quoted text should be written twice"
    )


def _gather(
    records: Iterator[tuple[int, list[str]]], names: Sequence[str], needed: Sequence[str]
) -> tuple[pa.Table, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Return the needed columns of all records, and the line on which each begins."""
    places = [names.index(name) for name in needed]
    schema = pa.schema([(name, pa.string()) for name in needed])
    chunks, begins, odd, size = [], [], [], 0
    while part := list(islice(records, _ROWS_PER_CHUNK)):
        odd += [(line, row) for line, row in part if not _has_width(row, len(names))]
        begins += [line for line, _ in part]
        limits.check_most(len(begins), limits.MAX_ROWS, "rows")
        if not odd:
            columns = [pa.array([row[i] for _, row in part], pa.string()) for i in places]
            chunks.append(pa.RecordBatch.from_arrays(columns, schema=schema))
            size += chunks[-1].nbytes
            limits.check_most(size, limits.MAX_TABLE_BYTES, "bytes, unpacked")
    if odd:
        raise FormatError(_describe_odd(odd, len(names)))
    table = pa.Table.from_batches(chunks, schema=schema)
    return _keep_count(table, len(begins)), np.array(begins, dtype=np.int64)


def _keep_count(table: pa.Table, count: int) -> pa.Table:
    """Return a table without columns as one without rows, too: nothing of it can be read."""
    return table if table.num_columns or not count else table.slice(0, 0)


def _has_width(row: Sequence[str], width: int) -> bool:
    """Tell whether a record has the header's columns; empty ones may follow."""
    return len(row) == width or (len(row) > width and not any(row[width:]))


def _describe_odd(odd: Sequence[tuple[int, Sequence[str]]], width: int) -> str:
    shown = "; ".join(
        f"line {line} has {len(row)}, {describe_line(' | '.join(row))}"
        for line, row in odd[:_SHOWN_LINES]
    )
    more = f", and {len(odd) - _SHOWN_LINES:,} more lines" if len(odd) > _SHOWN_LINES else ""
    return (
        f"lines with another number of columns than the header's {width}: {shown}{more}. Put "
        "quotes around a text that holds the delimiter"
    )


# Quotes as plain characters


def _count_plain(path: Path, dialect: CsvDialect) -> int | None:
    """Return the rows of a file whose every line, as it stands, has the header's columns."""
    with open_text(path, dialect.encoding) as file:
        lines = islice(limits.read_lines(file), dialect.skips_lines, None)
        filled = (line for line in lines if line.strip())
        header = next(filled, "")
        width, count = header.count(dialect.delimiter), 0
        if not width or '"' in header:
            return None
        for line in filled:
            if line.count(dialect.delimiter) != width:
                return None
            count += _holds_value(line, dialect)
    return count


def _holds_value(line: str, dialect: CsvDialect) -> bool:
    return bool(line.strip(f'{dialect.delimiter}"\r\n '))


def _may_hide_rows(rows: Rows, path: Path, dialect: CsvDialect) -> bool:
    """Tell whether quotes hold lines together that would each be a whole row without them."""
    with open_text(path, dialect.encoding) as file:
        lines = sum(_holds_value(line, dialect) for line in limits.read_lines(file))
    found = 0 if rows.lines is None else len(rows.lines)
    if lines - dialect.skips_lines - 1 == found:
        return False
    count = _count_plain(path, dialect)
    return count is not None and count != found


def _describe_hidden(rows: Rows, dialect: CsvDialect) -> str:
    assert rows.lines is not None  # noqa: S101 (for mypy; delimited rows have lines)
    jumps = np.append(np.diff(rows.lines) > 1, True)
    first = int(rows.lines[int(np.argmax(jumps))])
    between = NAMES.get(dialect.delimiter, dialect.delimiter)
    return (
        f"a quote that opens in line {first} and holds several lines together, each of which has "
        f"the header's columns. If they are rows, write that quote twice inside of quotes; if they "
        f"are one text, write other {between} into it or use jsonl"
    )
