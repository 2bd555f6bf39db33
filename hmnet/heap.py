"""Python's garbage collector, kept from what will not become garbage.

Each training step makes thousands of objects, so the collector looks through all there are again
and again: libraries above all, some hundredths of a small encoder's training time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Keep the collector from all objects that there are now, unless somebody froze some before."""
    was_frozen = gc.get_freeze_count() > 0
    gc.freeze()
    try:
        yield
    finally:
        if not was_frozen:
            gc.unfreeze()
