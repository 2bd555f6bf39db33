"""Processes of this host."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hmnet.storage.limits import LimitError
from hmnet.storage.regular_files import read_regular_text

MAX_MARK_BYTES = 4096
LOOK_S = 1.0
"""Seconds between two checks that a process's parent is still there."""


def is_process_alive(pid: int) -> bool:
    """Tell whether a process of this host still runs."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def is_owner_alive(mark: Path) -> bool | None:
    """Tell whether the process that wrote a run's mark still runs; None where that is not seen.

    Args:
        mark: a file with a host's name and the number of a process (`RunStore.mark`).
    """
    try:
        host, pid = read_regular_text(mark, MAX_MARK_BYTES).split()
        return is_process_alive(int(pid)) if host == socket.gethostname() else None
    except (OSError, ValueError, LimitError):
        return None


@contextmanager
def own_folder(prefix: str) -> Iterator[Path]:
    """Yield a temporary folder of this process; those of processes that are gone are removed."""
    named = f"{prefix}{socket.gethostname()}-"
    for path in Path(tempfile.gettempdir()).glob(f"{glob.escape(named)}*"):
        pid = path.name.removeprefix(named).partition("-")[0]
        if pid.isdigit() and not is_process_alive(int(pid)):
            shutil.rmtree(path, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{named}{os.getpid()}-") as name:
        yield Path(name)


def end_with_parent(parent: int) -> None:
    """Let this process end soon after its parent, however that one ends.

    Otherwise a worker whose parent was killed would keep running, with its memory and its GPU.

    Args:
        parent: the process that started this one.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_S)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()
