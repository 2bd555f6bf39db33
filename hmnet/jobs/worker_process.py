"""One job in a worker process: its device, its outcome, and the memory it leaves."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from filelock import FileLock, Timeout

from hmnet.errors import RelevanceError, WriteError
from hmnet.jobs.processes import end_with_parent
from hmnet.jobs.workers import Workers
from hmnet.process_memory import give_memory_back, keep_freed_memory, spare_collector
from hmnet.runs.job import Machine
from hmnet.runs.result import RunFailure
from hmnet.runs.store import BusyError, RunStore

if TYPE_CHECKING:
    from hmnet.runs.job import Job
    from hmnet.runs.result import RunResult

Execute: TypeAlias = "Callable[..., RunResult]"
"""Takes a job, the store and a machine, and `waits`; see `hmnet.training.execution.execute`."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended in a worker."""

    run_id: str
    status: Literal["done", "failed", "busy"]
    seconds: float = 0.0
    train_tokens: int = 0
    error: str = ""
    micro_batches: int = 1


def run_job(
    job: Job,
    folder: Path,
    workers: Workers,
    slots: Path,
    waits: bool = True,
    execute: Execute | None = None,
    owner: int = 0,
) -> Outcome:
    """Execute a job; a failure becomes an outcome and a file, never an exception.

    Args:
        slots: folder of the locks by which workers of this machine share out its devices.
        waits: wait for a run that another process is doing; else say that it is busy.
        owner: the process whose worker this is, which ends with it; 0 for a cluster's worker.
    """
    is_worker = owner == os.getppid()
    if is_worker and not _PROCESS.is_watching:
        _PROCESS.is_watching = True
        end_with_parent(owner)
    run = execute or _import_execute()
    store = RunStore(folder)
    try:
        device = workers.devices[0] if workers.scheduler else _take_device(slots, workers.devices)
        machine = Machine(device, workers.threads, workers.checkpoint_s, workers.loggers)
        with _ONE_AT_A_TIME:
            result = run(job, store, machine, waits=waits)
    except BusyError:
        return Outcome(job.spec.run_id, "busy")
    except Exception as error:  # noqa: BLE001 (one run's failure must not stop the others)
        message = (
            str(error) if isinstance(error, RelevanceError) else f"{type(error).__name__}: {error}"
        )
        with contextlib.suppress(WriteError, OSError):  # the disk may be what failed
            store.fail(job.spec, RunFailure(message, traceback.format_exc()))
        if is_worker and has_lost_device(error):
            store.mark(job.spec)  # so that this run is tried again
            os._exit(1)
        return Outcome(job.spec.run_id, "failed", error=message)
    finally:
        _release_memory()
    seconds = sum(result.seconds.values())
    return Outcome(
        job.spec.run_id,
        "done",
        seconds,
        result.train_tokens,
        micro_batches=result.micro_batches,
    )


def has_lost_device(error: Exception) -> bool:
    """Tell whether a GPU's context is lost, so that every later run of this process would fail."""
    # told by its name: this module answers before torch is imported
    return type(error).__name__ == "AcceleratorError" or (
        type(error) is RuntimeError and "CUDA error" in str(error)
    )


def _import_execute() -> Execute:
    """Import the training code, which takes seconds, in the worker alone."""
    spare_collector()
    keep_freed_memory()
    from hmnet.training.execution import execute

    return execute


def _release_memory() -> None:
    """Give freed memory back: a worker that seems to leak would be replaced, and load all anew.

    What the first job left, mostly libraries, is hidden from the collector after later ones.
    """
    gc.collect()
    if not _PROCESS.is_frozen:
        gc.freeze()
        _PROCESS.is_frozen = True
    give_memory_back()
    if "torch.cuda" in sys.modules and (cuda := sys.modules["torch.cuda"]).is_initialized():
        cuda.empty_cache()  # for the processes that share the GPU


@dataclass
class _Process:
    """What a worker process holds until it ends.

    Attributes:
        is_watching: whether it ends with its parent.
        is_frozen: whether what the first job left is hidden from the garbage collector.
        device: the device that this worker has taken.
        slots: the folder of locks by which it was taken.
        lock: the lock that holds it.
    """

    is_watching: bool = False
    is_frozen: bool = False
    device: str = ""
    slots: Path | None = None
    lock: FileLock | None = None


_PROCESS = _Process()
_ONE_AT_A_TIME = threading.Lock()
"""A Dask worker may have several threads; random numbers belong to the process."""


def _take_device(slots: Path, devices: Sequence[str]) -> str:
    """Return this worker's device; it is held by a lock until the process ends."""
    if _PROCESS.slots != slots:
        number, lock = _lock_free_slot(slots, len(devices))
        _PROCESS.slots, _PROCESS.device, _PROCESS.lock = slots, devices[number], lock
    return _PROCESS.device


def _lock_free_slot(slots: Path, count: int) -> tuple[int, FileLock]:
    for number in range(count):
        lock = FileLock(slots / f"{number}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        return number, lock
    raise RelevanceError(f"No free device slot among {count}.")
