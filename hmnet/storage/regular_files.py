"""Regular files alone: a device, a pipe or a folder in a file's place is refused unread.

`/dev/zero` has no size that a limit could refuse, and a pipe lets its reader wait for ever.
"""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

from hmnet.storage.limits import check_most

POINTER = b"version https://git-lfs"
"""How a pointer of Git LFS begins, which lies in a file's place until `git lfs pull`."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotRegularError(OSError):
    """Something else in a file's place; its text says what."""


def check_regular(path: Path) -> int:
    """Return the size of a regular file, in bytes.

    Raises:
        NotRegularError: if it is a folder, a pipe or a device.
        OSError: if it cannot be looked at.
    """
    return _check(path.stat())


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file to read its bytes, without waiting, and look at it when it is open.

    So nothing can take its place between the look and the read.

    Raises:
        NotRegularError: if it is something else.
        OSError: if it cannot be opened.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _check(os.fstat(handle))
    except NotRegularError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def read_regular_text(path: Path, most: int, errors: str = "strict") -> str:
    """Return the text of a regular file of at most `most` bytes, as `read_regular` does."""
    return read_regular(path, most).decode("utf-8", errors)


def read_regular(path: Path, most: int) -> bytes:
    """Return the content of a regular file of at most `most` bytes.

    Raises:
        NotRegularError: if it is something else.
        LimitError: if it is larger.
        OSError: if it cannot be read.
    """
    with open_regular(path) as file:
        check_most(os.fstat(file.fileno()).st_size, most, "bytes")
        content = file.read(most + 1)
    check_most(len(content), most, "bytes")
    return content


def _check(found: os.stat_result) -> int:
    for is_kind, name in _KINDS:
        if is_kind(found.st_mode):
            raise NotRegularError(f"{name}, which is no regular file")
    return found.st_size
