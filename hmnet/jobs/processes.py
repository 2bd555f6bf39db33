"""Processes of this host."""

from __future__ import annotations

import os
import signal
import threading
import time

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
