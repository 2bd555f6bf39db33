"""Running many jobs: cached in the run store, scheduled by joblib on worker processes.

- A job whose run is done is never started. Stopped and started again, a sweep redoes only what
  was not finished.
- Workers live through the sweep: torch is imported and the encoder is read once each.
- On CPUs there is one single-threaded worker per core. On GPUs a worker takes a device slot when
  it starts its first job and keeps it.
- With a Dask scheduler (`hmnet.cluster`) its workers take the place of processes of this machine.
- The costliest jobs go first, so that the last ones to end are short.
- A run that another command is doing is put off to the end, and then waited for.
- A job that fails leaves `failure.json` and does not stop the others; one whose worker died is
  tried once more.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import gc
import os
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from filelock import FileLock, Timeout
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from hmnet.errors import (
    InputError,
    RelevanceError,
    RunsFailedError,
    WriteError,
    raise_problems,
)
from hmnet.loggers import check_loggers
from hmnet.runs import BusyError, RunFailure, RunStore

if TYPE_CHECKING:
    from hmnet.execute import Job
    from hmnet.runs import RunResult

Execute: TypeAlias = "Callable[..., RunResult]"
"""Takes a job, the store and a machine, and `waits`; see `hmnet.execute.execute`."""

MOST_ATTEMPTS = 2


@dataclass(frozen=True)
class Workers:
    """Processes and devices of a sweep.

    Attributes:
        count: worker processes.
        devices: a device per worker; workers take them in the order in which they start.
        threads: threads per worker on a CPU.
        checkpoint_s: seconds between checkpoints of a run.
        loggers: further places that losses and scores go to (`hmnet.loggers`).
        fills_gpus: whether there are to be as many per GPU as have room there (`fill`).
        scheduler: address of a Dask scheduler; empty for processes of this machine.
    """

    count: int
    devices: tuple[str, ...]
    threads: int = 1
    checkpoint_s: float = 300.0
    loggers: tuple[str, ...] = ()
    fills_gpus: bool = False
    scheduler: str = ""

    @classmethod
    def choose(
        cls,
        gpus: Sequence[int] | None = None,
        jobs_per_gpu: int | None = None,
        workers: int | None = None,
        checkpoint_s: float = 300.0,
        loggers: Sequence[str] = (),
        scheduler: str | None = None,
    ) -> Workers:
        """One worker per slot of the named GPUs, or one per CPU core, or those of a cluster.

        Args:
            jobs_per_gpu: None for as many as have room, which `fill` finds out.

        Raises:
            InputError: if a GPU is not there, a logger not installed, or a count not positive.
        """
        check_loggers(loggers)
        if jobs_per_gpu is not None and jobs_per_gpu < 1:
            raise InputError(
                f"Parameter `jobs_per_gpu` should be at least 1. Found `{jobs_per_gpu}`."
            )
        if workers is not None and workers < 1:
            raise InputError(f"Parameter `workers` should be at least 1. Found `{workers}`.")
        if scheduler:
            return cls._of_cluster(scheduler, gpus, workers, checkpoint_s, loggers)
        if gpus:
            _check_gpus(gpus)
            slots = tuple(f"cuda:{gpu}" for _ in range(jobs_per_gpu or 1) for gpu in gpus)
            fills = jobs_per_gpu is None
            return cls(len(slots), slots, 1, checkpoint_s, tuple(loggers), fills)
        count = workers or count_cores()
        return cls(count, ("cpu",) * count, 1, checkpoint_s, tuple(loggers))

    @classmethod
    def _of_cluster(
        cls,
        scheduler: str,
        gpus: Sequence[int] | None,
        workers: int | None,
        checkpoint_s: float,
        loggers: Sequence[str],
    ) -> Workers:
        from hmnet.cluster import count_workers

        raise_problems(
            f"Parameter `{name}` should be left out with `scheduler`, whose workers say what they "
            f"have. Found `{value}`."
            for name, value in (("gpus", gpus), ("workers", workers))
            if value
        )
        count, on_gpus = count_workers(scheduler)
        devices = ("cuda:0" if on_gpus else "cpu",) * count
        return cls(count, devices, 1, checkpoint_s, tuple(loggers), scheduler=scheduler)

    def fill(self, jobs: Sequence[Job]) -> Workers:
        """Return workers with a slot for each job that has room on a GPU, if that was left open."""
        if not self.fills_gpus or not jobs:
            return self
        from hmnet.gpu_memory import choose_jobs_per_gpu

        gpus = [int(device.removeprefix("cuda:")) for device in self.devices]
        most_tokens = max(job.max_length for job in jobs)
        count = choose_jobs_per_gpu(gpus, [job.spec for job in jobs], most_tokens, count_cores())
        return dataclasses.replace(
            self, count=count * len(gpus), devices=self.devices * count, fills_gpus=False
        )


def count_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_gpus(gpus: Sequence[int]) -> None:
    import torch

    there = torch.cuda.device_count()
    missing = sorted({gpu for gpu in gpus if not 0 <= gpu < there})
    if missing:
        known = f"GPUs 0 to {there - 1}" if there else "no GPU"
        raise InputError(
            f"Parameter `gpus` should name GPUs of this machine, which has {known}. Found "
            f"`{','.join(map(str, missing))}`."
            + ("" if there else " Without `--gpus`, CPUs are used.")
        )


@dataclass(frozen=True)
class Outcome:
    """How a job ended in a worker."""

    run_id: str
    status: Literal["done", "failed", "busy"]
    seconds: float = 0.0
    train_tokens: int = 0
    error: str = ""
    micro_batches: int = 1


@dataclass
class Summary:
    """How a sweep ended: run ids by what became of them."""

    cached: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


class Watcher:
    """What a sweep reports to; this one says nothing."""

    def start(self, total: int, cached: int, total_cost: float) -> None:
        """The sweep begins: `total` runs, of which `cached` are done."""

    def finish(self, outcome: Outcome, cost: float) -> None:
        """A run ended."""

    def stop(self) -> None:
        """The sweep is over."""


def run_jobs(
    jobs: Sequence[Job],
    store: RunStore,
    workers: Workers,
    *,
    cost: Callable[[Job], float] = lambda job: 1.0,
    watcher: Watcher | None = None,
    execute: Execute | None = None,
) -> Summary:
    """Run every job that is not done; return what became of each.

    Args:
        cost: a job's expected cost; costlier jobs start first.
        execute: what does a job in a worker; None for `hmnet.execute.execute`.
    """
    watcher = watcher or Watcher()
    workers = workers.fill(jobs)
    by_id = {job.spec.run_id: job for job in jobs}
    summary = Summary()
    for run_id, job in by_id.items():
        if store.is_done(job.spec, with_model=job.keep_model):
            summary.cached.append(run_id)
    pending = {run_id: job for run_id, job in by_id.items() if run_id not in summary.cached}
    costs = {run_id: cost(job) for run_id, job in pending.items()}
    ordered = dict(sorted(pending.items(), key=lambda item: (-costs[item[0]], item[0])))
    watcher.start(len(by_id), len(summary.cached), sum(costs.values()))
    try:
        for outcome in _run_pending(ordered, store, workers, execute):
            watcher.finish(outcome, costs[outcome.run_id])
            if outcome.status == "done":
                summary.done.append(outcome.run_id)
            else:
                summary.failed[outcome.run_id] = outcome.error
    finally:
        watcher.stop()
    return summary


def raise_failures(summary: Summary) -> None:
    """Raise a `RunsFailedError` that lists every failed run, if there is one."""
    if summary.failed:
        raise RunsFailedError(
            f"{len(summary.failed)} runs failed; the others are kept, and the same command tries "
            "the failed ones again:",
            *(f"{run_id}: {error}" for run_id, error in sorted(summary.failed.items())),
        )


def _run_pending(
    pending: dict[str, Job], store: RunStore, workers: Workers, execute: Execute | None
) -> Iterator[Outcome]:
    """Yield outcomes as jobs end; start new workers when some died, until nothing is left."""
    attempts = dict.fromkeys(pending, 0)
    waits = False
    while pending:
        try:
            for outcome in _run_parallel(list(pending.values()), store, workers, waits, execute):
                if outcome.status != "busy":
                    del pending[outcome.run_id]
                    yield outcome
            waits = True  # what is left now, another command is doing
        except Exception as error:
            if not _is_loss_of_worker(error):
                raise
            for run_id in _find_victims(pending, store):
                attempts[run_id] += 1
                if attempts[run_id] >= MOST_ATTEMPTS:
                    yield _give_up(pending.pop(run_id), store)


def _run_parallel(
    jobs: list[Job], store: RunStore, workers: Workers, waits: bool, execute: Execute | None
) -> Iterator[Outcome]:
    """Yield outcomes as jobs end.

    Raises:
        TerminatedWorkerError: if a worker of this machine died.
        KilledWorker: if a job lost several workers of a cluster.
    """
    with tempfile.TemporaryDirectory(prefix="relevance-slots-") as slots:
        calls = (
            # a call without arguments: Dask would keep large ones on a worker that may vanish
            delayed(
                partial(_run_in_worker, job, store.folder, workers, Path(slots), waits, execute)
            )()
            for job in jobs
        )
        with _open_parallel(workers, store, len(jobs)) as parallel:
            yield from parallel(calls)


@contextmanager
def _open_parallel(workers: Workers, store: RunStore, most: int) -> Iterator[Parallel]:
    """Make joblib run jobs on processes of this machine, or on a cluster's."""
    usual: dict[str, Any] = {
        "return_as": "generator_unordered",
        "batch_size": 1,
        "pre_dispatch": "n_jobs + 1",
    }
    if not workers.scheduler:
        yield Parallel(
            n_jobs=min(workers.count, most),
            backend="loky",
            inner_max_num_threads=workers.threads,
            **usual,
        )
        return
    from hmnet.cluster import GPU, check_folder, connect

    store.folder.mkdir(parents=True, exist_ok=True)
    needs = {GPU: 1} if workers.devices[0] != "cpu" else None
    with connect(workers.scheduler) as client:
        check_folder(client, store.folder)
        with parallel_config("dask", client=client, resources=needs, pure=False):
            yield Parallel(n_jobs=-1, **usual)


def _is_loss_of_worker(error: Exception) -> bool:
    """Tell whether workers died: one of this machine, or several of a cluster at one job."""
    return isinstance(error, TerminatedWorkerError) or type(error).__name__ == "KilledWorker"


def _find_victims(pending: dict[str, Job], store: RunStore) -> list[str]:
    """Return the runs that were under way in a worker that died."""
    victims = [run_id for run_id, job in pending.items() if store.was_cut_off(job.spec)]
    for run_id in victims:
        store.unmark(pending[run_id].spec)
    return victims


def _give_up(job: Job, store: RunStore) -> Outcome:
    message = (
        f"The worker process died {MOST_ATTEMPTS} times during this run "
        "(out of memory, or a crash in native code)."
    )
    store.fail(job.spec, RunFailure(message))
    return Outcome(job.spec.run_id, "failed", error=message)


def _run_in_worker(
    job: Job,
    folder: Path,
    workers: Workers,
    slots: Path,
    waits: bool = True,
    execute: Execute | None = None,
) -> Outcome:
    """Execute a job; a failure becomes an outcome and a file, never an exception.

    Args:
        slots: folder of the locks by which workers of this machine share out its devices.
        waits: wait for a run that another process is doing; else say that it is busy.
    """
    from hmnet.execute import Machine
    from hmnet.execute import execute as train_and_store

    execute = execute or train_and_store
    store = RunStore(folder)
    try:
        device = workers.devices[0] if workers.scheduler else _take_device(slots, workers.devices)
        machine = Machine(device, workers.threads, workers.checkpoint_s, workers.loggers)
        with _ONE_AT_A_TIME:
            result = execute(job, store, machine, waits=waits)
    except BusyError:
        return Outcome(job.spec.run_id, "busy")
    except Exception as error:  # noqa: BLE001 (one run's failure must not stop the others)
        message = (
            str(error) if isinstance(error, RelevanceError) else f"{type(error).__name__}: {error}"
        )
        with contextlib.suppress(WriteError, OSError):  # the disk may be what failed
            store.fail(job.spec, RunFailure(message, traceback.format_exc()))
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


def _release_memory() -> None:
    """Give freed memory back: a worker that seems to leak would be replaced, and read all again.

    What the first job left, libraries above all, is not looked through again after later ones.
    """
    gc.collect()
    if not _SLOT.get("is_frozen"):
        gc.freeze()
        _SLOT["is_frozen"] = True
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


_SLOT: dict[str, Any] = {}
_ONE_AT_A_TIME = threading.Lock()
"""A Dask worker may have several threads; random numbers belong to the process."""


def _take_device(slots: Path, devices: Sequence[str]) -> str:
    """Return this worker's device; it is held by a lock until the process ends."""
    if _SLOT.get("folder") != slots:
        number, lock = _lock_free_slot(slots, len(devices))
        _SLOT.update(folder=slots, device=devices[number], lock=lock)
    return str(_SLOT["device"])


def _lock_free_slot(slots: Path, count: int) -> tuple[int, FileLock]:
    for number in range(count):
        lock = FileLock(slots / f"{number}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        return number, lock
    raise RelevanceError(f"No free device slot among {count}.")
