"""Regular files alone: a device, a pipe or a folder in a file's place is refused unread.

`/dev/zero` has no size that a limit could refuse, and a pipe lets its reader wait for ever.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hmnet.storage.limits import check_most

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


def read_regular(path: Path, most: int) -> bytes:
    """Return the content of a regular file of at most `most` bytes.

    It is opened without waiting and looked at when open, so that nothing can take its place.

    Raises:
        NotRegularError: if it is something else.
        LimitError: if it is larger.
        OSError: if it cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        check_most(_check(os.fstat(file.fileno())), most, "bytes")
        content = file.read(most + 1)
    check_most(len(content), most, "bytes")
    return content


def _check(found: os.stat_result) -> int:
    for is_kind, name in _KINDS:
        if is_kind(found.st_mode):
            raise NotRegularError(f"{name}, which is no regular file")
    return found.st_size
