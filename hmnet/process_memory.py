"""Memory of a process: what the allocator keeps, and what the garbage collector leaves alone.

A training step frees tens of megabytes that the next one asks for again. The C library gives them
back to the system in between, which then hands them out page by page, zeroed: a tenth of the time
of a step over short rows.

Each training step makes thousands of objects, so the garbage collector walks over all objects again
and again, most of them of libraries: some hundredths of a small encoder's training time. It also
does so while the libraries are imported, and once more when the process ends.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_THRESHOLD = 100_000
"""New objects from which the collector runs; Python's own is 700 or 2,000."""


def spare_collector() -> None:
    """Let the garbage collector run rarely in this process, and not at its end.

    A process that imports torch and transformers takes 6 s without this, and 4 s with it.
    """
    if gc.get_threshold()[0] < _THRESHOLD:
        gc.set_threshold(_THRESHOLD, *gc.get_threshold()[1:])
        atexit.register(gc.freeze)


_TRIM, _MAP = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Have this process keep what it frees for what it asks for next, where glibc allocates.

    Its peak stays what it was; below it, nothing is given back until `give_memory_back`.
    """
    if (library := _find_glibc()) is not None:
        library.mallopt(_TRIM, 2**31 - 1)
        library.mallopt(_MAP, 1 << 30)


def give_memory_back() -> None:
    """Give the system what this process has freed, where glibc allocates."""
    if (library := _find_glibc()) is not None:
        library.malloc_trim(0)


def _find_glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Hide all objects that exist from the garbage collector, unless some are hidden already."""
    was_frozen = gc.get_freeze_count() > 0
    gc.freeze()
    try:
        yield
    finally:
        if not was_frozen:
            gc.unfreeze()
