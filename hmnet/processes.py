"""Processes of this host."""

from __future__ import annotations

import os


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
