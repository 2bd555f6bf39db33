"""How large a file of rows may be: generous to data, and small enough that no file fills a machine.

Each limit is refused in one sentence that names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import pyarrow.parquet as pq

MAX_FILE_BYTES = 4 * 2**30
MAX_ROWS = 50_000_000
MAX_LINE_CHARS = 16 * 2**20
"""Longest line of a text file, and bytes of the longest row of a comma-separated one."""
MAX_TABLE_BYTES = 4 * 2**30
"""A table in memory: a parquet file of kilobytes may unfold to terabytes."""
MAX_LOSSES_BYTES = 512 * 2**20
"""A file of losses, a line a step: of some millions of steps."""
MAX_JSON_DEPTH = 64

_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


class LimitError(Exception):
    """A file exceeds a limit: one sentence, before which the reader puts the file's name."""


def check_most(found: int, most: int, what: str) -> None:
    """Raise a `LimitError` if a file has more than `most` of something."""
    if found > most:
        raise LimitError(f"the file should have at most {most:,} {what}. Found {found:,}.")


def check_footer(metadata: pq.FileMetaData) -> None:
    """Check what the footer of a parquet file claims, before anything is read.

    The claims of single columns are not read: pyarrow ends the process where one is damaged.

    Raises:
        LimitError: if there are too many rows, or too many bytes in them.
    """
    check_most(metadata.num_rows, MAX_ROWS, "rows")
    sizes = (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    check_most(sum(sizes), MAX_TABLE_BYTES, "bytes, unpacked")


def read_lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of a text file, none of which is read further than the limit.

    Raises:
        LimitError: at a line that is too long.
    """
    number = 0
    while line := file.readline(MAX_LINE_CHARS + 1):
        number += 1
        if len(line) > MAX_LINE_CHARS:
            raise LimitError(
                f"the file should have lines of at most {MAX_LINE_CHARS:,} characters. "
                f"Found a longer one, line {number}."
            )
        yield line


def check_depth(line: str, number: int) -> None:
    """Raise a `LimitError` if a line of JSON nests too deeply; `number` names the line."""
    if line.count("[") + line.count("{") <= MAX_JSON_DEPTH:
        return
    depth = 0
    for match in _BRACKET.finditer(line):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth > MAX_JSON_DEPTH:
            raise LimitError(
                f"the file should have JSON of at most {MAX_JSON_DEPTH} levels. "
                f"Found more in line {number}."
            )
