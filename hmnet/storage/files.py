"""Bytes and lines written so that a reader never sees half of them.

A write goes to a temporary file in the same folder, is synced, then renamed.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hmnet.errors import WriteError, describe_write


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically: temporary file, sync, rename.

    Raises:
        WriteError: if it cannot be written; what was there before is whole.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
    except OSError as error:
        raise WriteError(describe_write(error, path)) from error


def append_line(path: Path, line: str) -> None:
    """Append a line to a text file.

    Raises:
        WriteError: if it cannot be written; a last line that was cut short may be left.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise WriteError(describe_write(error, path)) from error


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value
