"""Output folders that a command made: a refused one leaves none behind.

with taking_back():
    output = open_output(Path("new"))     # makes it
    raise InputError("...")               # and it is gone
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from hmnet.errors import InputError

WORK = ("runs", "progress.json")
"""What stands in a folder in which runs have begun: it is never taken back."""
_made: ContextVar[dict[Path, Collection[str] | None] | None] = ContextVar("made", default=None)


def note_made(folder: Path, before: Collection[str] | None) -> None:
    """Note that a folder is now an output folder, and what it held before; None for no folder."""
    if (made := _made.get()) is not None:
        made.setdefault(folder.absolute(), before)


@contextmanager
def taking_back() -> Iterator[None]:
    """Remove the output folders that are made meanwhile, if what makes them is refused.

    What a folder held before stays, and so does one in which runs have begun.
    """
    made: dict[Path, Collection[str] | None] = {}
    token = _made.set(made)
    try:
        yield
    except InputError:
        for folder, before in made.items():
            _take_back(folder, before)
        raise
    finally:
        _made.reset(token)


def _take_back(folder: Path, before: Collection[str] | None) -> None:
    if any((folder / name).exists() for name in WORK):
        return
    for path in folder.iterdir():
        if path.name in (before or ()):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if before is None:
        folder.rmdir()
