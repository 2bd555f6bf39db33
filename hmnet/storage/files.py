"""Bytes and lines written so that a reader never sees half of them.

A write goes to a temporary file in the same folder, is synced, then renamed; in an output folder,
its digest stands in the manifest before (`hmnet.storage.manifest`).
"""

from __future__ import annotations

import contextlib
import glob
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from hmnet.errors import WriteError, describe_write
from hmnet.storage.manifest import announced
from hmnet.storage.replacing import read_umask, replace_file

_PART_LOCK = ".lock"


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically: temporary file, sync, rename.

    Raises:
        WriteError: if it cannot be written; what was there before is whole.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with announced(path, content):
            replace_file(path, content)
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


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder beside `folder`, new or empty, that takes its place once all is written.

    Cut off, it leaves a hidden folder `.<name>.<random>.part` and nothing in `folder`; the next one
    removes it.

    Raises:
        WriteError: if it cannot be made or moved.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_parts(folder)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        part.chmod(0o777 & ~read_umask())  # its own is for one user only
    except OSError as error:
        raise WriteError(describe_write(error, folder)) from error
    try:
        with FileLock(part / _PART_LOCK):
            yield part
            (part / _PART_LOCK).unlink(missing_ok=True)
            if folder.is_dir():
                folder.rmdir()
            part.rename(folder)
    except OSError as error:
        raise WriteError(describe_write(error, folder)) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _remove_parts(folder: Path) -> None:
    """Remove what earlier writes of a folder left that were cut off: nobody holds their locks."""
    for part in folder.parent.glob(f".{glob.escape(folder.name)}.*.part"):
        lock = part / _PART_LOCK
        with contextlib.suppress(Timeout, OSError):
            if lock.exists():
                with FileLock(lock, timeout=0):
                    shutil.rmtree(part, ignore_errors=True)
