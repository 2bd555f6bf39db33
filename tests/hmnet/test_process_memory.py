"""What the allocator keeps and what the garbage collector leaves alone."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys

import pytest

from hmnet.process_memory import frozen_heap


@pytest.mark.parametrize("was_frozen", [False, True])
def test_the_collector_is_as_it_was_after_a_training(was_frozen: bool) -> None:
    gc.unfreeze()
    if was_frozen:
        gc.freeze()
    try:
        with frozen_heap():
            assert gc.get_freeze_count() > 0
        assert (gc.get_freeze_count() > 0) == was_frozen
    finally:
        gc.unfreeze()


def test_a_spared_collector_runs_seldom_and_leaves_libraries_alone_at_the_end() -> None:
    code = (
        "import atexit, gc\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 1000, gc.get_threshold()[0]))\n"
        "from hmnet.process_memory import spare_collector\n"
        "spare_collector()\n"
        "print(gc.get_freeze_count())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stdout.split() == ["0", "True", "100000"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told")
def test_freed_memory_is_kept_until_it_is_given_back() -> None:
    code = (
        "import resource, numpy\n"
        "from hmnet.process_memory import give_memory_back, keep_freed_memory\n"
        "keep_freed_memory()\n"
        "def count_new_pages():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    held = [numpy.ones(1 << 18) for _ in range(20)]  # 10,240 pages of 4 KiB\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "print(count_new_pages(), count_new_pages())\n"
        "give_memory_back()\n"
        "print(count_new_pages())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    fresh, kept, given_back = map(int, done.stdout.split())
    assert kept < 0.1 * min(fresh, given_back)
