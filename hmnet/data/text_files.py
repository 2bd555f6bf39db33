"""Text files opened in the encoding that they are in, packed or not.

- UTF-8 is the rule; a byte order mark, or zeros beside every letter, tell UTF-16.
- Anything else is asked of charset-normalizer, and read only where it cannot tell the text from
  that in Windows' cp1252; every other guess is said, for the user to decide.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO

from hmnet.errors import shorten
from hmnet.storage import limits
from hmnet.storage.regular_files import check_regular, open_regular

_CHUNK_BYTES = 2**20
_MOST_GUESSED_BYTES = 256 * 2**20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class FormatError(Exception):
    """A file that is not of its format, in one sentence."""


@dataclass(frozen=True)
class Encoding:
    """How the bytes of a file become text.

    Attributes:
        name: Python's name of the encoding.
        note: what to say of it; None for UTF-8.
    """

    name: str
    note: str | None = None


def open_bytes(path: Path) -> IO[bytes]:
    """Open a regular file, unpacked if its name ends in `.gz`."""
    check_regular(path)
    if path.suffix.lower() == ".gz":
        return io.BufferedReader(gzip.open(path))
    return open_regular(path)


def open_text(path: Path, encoding: Encoding) -> TextIO:
    """Open a text file, its line ends as they are."""
    return io.TextIOWrapper(open_bytes(path), encoding=encoding.name, newline="")


def find_encoding(path: Path) -> Encoding:
    """Return the encoding of a file, all of which is read once.

    Raises:
        FormatError: if it is not certain, or the file is not what its name says.
        LimitError: if it unfolds to more bytes than a table may have.
    """
    try:
        with open_bytes(path) as file:
            return _find(file)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        with path.open("rb") as file:
            is_packed = file.read(2) == b"\x1f\x8b"
        way = "" if is_packed else "; a file that is not packed is named without .gz"
        raise FormatError(f"a damaged archive ({error}){way}") from None


def _find(file: IO[bytes]) -> Encoding:
    first = file.read(_CHUNK_BYTES)
    for mark, name in _MARKS:
        if first.startswith(mark):
            is_utf8 = name == "utf-8-sig"
            return _check(file, first, Encoding(name, None if is_utf8 else f"read as {name}"))
    if b"\0" in first[:1024]:
        return _check(file, first, _guess_wide(first))
    return _check(file, first, Encoding("utf-8"))


def _guess_wide(first: bytes) -> Encoding:
    """Tell UTF-16 without a byte order mark by where its zeros are."""
    head = first[:1024]
    low, high = head[1::2].count(0), head[::2].count(0)
    if min(low, high) == 0 and max(low, high) > len(head) // 4:
        name = "utf-16-le" if low else "utf-16-be"
        return Encoding(name, f"read as {name}")
    line = first.count(b"\n", 0, first.index(b"\0")) + 1
    raise FormatError(
        f"the byte 0x00 in line {line}, which no text holds: is the file damaged, or of another "
        "format?"
    )


def _check(file: IO[bytes], first: bytes, encoding: Encoding) -> Encoding:
    """Decode all of a file; where that fails, ask for the encoding."""
    decoder = codecs.getincrementaldecoder(encoding.name)()
    size, chunk = 0, first
    try:
        while chunk:
            size += len(chunk)
            limits.check_most(size, limits.MAX_TABLE_BYTES, "bytes, unpacked")
            decoder.decode(chunk)
            chunk = file.read(_CHUNK_BYTES)
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        if encoding.name not in ("utf-8", "utf-8-sig"):
            raise FormatError(f"a file that begins as {encoding.name} and goes on otherwise") from (
                error
            )
        file.seek(0)
        return _guess(file.read(_MOST_GUESSED_BYTES))
    return encoding


def _guess(content: bytes) -> Encoding:
    where, line = _find_first_odd_byte(content)
    byte = f"the byte 0x{content[where]:02x} in line {line}"
    if any(map(_is_beyond_ascii, content.splitlines())):
        raise FormatError(
            f"{byte}, which is no UTF-8, although other lines are. It should be in one encoding: "
            "save it as UTF-8 again"
        )
    guess = _ask(content)
    if guess == "cp1252":
        return Encoding(guess, f"read as cp1252, as {byte} is no UTF-8")
    if guess is None:
        raise FormatError(f"{byte}, which is no text in UTF-8")
    raise FormatError(
        f"{byte}, which is no UTF-8; it may be in {guess}. Save it as UTF-8, such as with "
        f"`iconv -f {guess} -t UTF-8`"
    )


def _is_beyond_ascii(line: bytes) -> bool:
    """Tell whether a line is UTF-8 with more than ASCII in it."""
    try:
        return not line.isascii() and bool(line.decode())
    except UnicodeDecodeError:
        return False


def _find_first_odd_byte(content: bytes) -> tuple[int, int]:
    """Return the place of the first byte that is not UTF-8, and its line, from 1."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return error.start, content.count(b"\n", 0, error.start) + 1
    return len(content) - 1, content.count(b"\n") + 1


def _ask(content: bytes) -> str | None:
    """Return the likeliest encoding: cp1252 wherever it does as well as the best one."""
    from charset_normalizer import from_bytes

    found = from_bytes(content[: 4 * _CHUNK_BYTES])
    best = found.best()
    if best is None:
        return None
    alike = [match for match in found if match.chaos <= best.chaos]
    if any("cp1252" in match.could_be_from_charset for match in alike) and _fits(content):
        return "cp1252"
    return str(best.encoding)


def _fits(content: bytes) -> bool:
    try:
        content.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return True


def describe_line(text: str) -> str:
    """Return a line as a message shows it."""
    return f"`{shorten(text.strip())}`"
