"""Running many jobs: cached in the run store, scheduled by joblib on worker processes.

- Runs that others learn from are done before all others.
- A job whose run is done is never started. Stopped and started again, a sweep redoes only what
  was not finished.
- Workers live through the sweep: torch is imported and the encoder is read once each.
- On CPUs there is one single-threaded worker per core. On GPUs a worker takes a device slot when
  it starts its first job and keeps it.
- With a Dask scheduler (`hmnet.jobs.dask`) its workers take the place of processes of this machine.
- The costliest jobs go first, so that the last ones to end are short, after those asked for first.
- A run that another command is doing is left to the end, and then waited for.
- A job that fails leaves `failure.json` and does not stop the others; one whose worker died is
  tried again, and fails alone.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

from joblib import Parallel, delayed, parallel_config
from joblib.executor import get_memmapping_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from hmnet.errors import RunsFailedError
from hmnet.jobs.processes import own_folder
from hmnet.jobs.worker_process import Execute, Outcome, run_job
from hmnet.jobs.workers import Workers
from hmnet.runs.result import RunFailure
from hmnet.runs.store import RunStore

if TYPE_CHECKING:
    from hmnet.runs.job import Job


@dataclass
class SweepSummary:
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
    first: Collection[str] = (),
) -> SweepSummary:
    """Run every job that is not done; return what became of each.

    Args:
        cost: a job's expected cost; costlier jobs start first.
        first: ids of runs that start before all others, without these waiting for their end.
        execute: the function that does a job in a worker; None for
            `hmnet.training.execution.execute`.
    """
    watcher = watcher or Watcher()
    before = {job.spec.run_id: job for job in list_before(jobs)}
    jobs = [dataclasses.replace(job, before=()) for job in jobs]
    by_id = {**{job.spec.run_id: job for job in jobs}, **before}  # these keep their models
    workers = workers.fill(list(by_id.values()))
    is_done = {i: store.is_done(j.spec, with_model=j.keep_model) for i, j in by_id.items()}
    pending = {run_id: job for run_id, job in by_id.items() if not is_done[run_id]}
    summary = SweepSummary(cached=[run_id for run_id in by_id if is_done[run_id]])
    costs = {run_id: cost(job) for run_id, job in pending.items()}
    turns = {run_id: (run_id not in first, -costs[run_id], run_id) for run_id in pending}
    ordered = {run_id: pending[run_id] for run_id in sorted(pending, key=turns.__getitem__)}
    watcher.start(len(by_id), len(summary.cached), sum(costs.values()))
    try:
        with _silent_replacement():
            for outcome in _run_in_turn(ordered, before, store, workers, execute):
                watcher.finish(outcome, costs[outcome.run_id])
                if outcome.status == "done":
                    summary.done.append(outcome.run_id)
                else:
                    summary.failed[outcome.run_id] = outcome.error
    finally:
        watcher.stop()
    return summary


@contextmanager
def _silent_replacement() -> Iterator[None]:
    """Ignore the warning that a worker was replaced because its memory grew.

    Raised as an error, it would end the thread that manages the workers, and the sweep would hang.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        yield


def list_before(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs that have to be done before others, each once."""
    return list({first.spec.run_id: first for job in jobs for first in job.before}.values())


def raise_failures(summary: SweepSummary, *more: str) -> None:
    """Raise a `RunsFailedError` that lists every failed run, if there is one.

    Args:
        more: further sentences; they too are a failure.
    """
    listed = [f"{run_id}: {error}" for run_id, error in sorted(summary.failed.items())]
    if listed:
        listed.insert(
            0,
            f"{len(summary.failed)} runs failed (more is in the `failure.json` of each one's "
            "folder); the others are kept, and the same command tries the failed ones again:",
        )
    if listed or more:
        raise RunsFailedError(*listed, *more)


def _run_in_turn(
    pending: dict[str, Job],
    before: Collection[str],
    store: RunStore,
    workers: Workers,
    execute: Execute | None,
) -> Iterator[Outcome]:
    """Yield outcomes as jobs end; those of the runs `before` come before all others."""
    for is_first in (True, False):
        wave = {run_id: job for run_id, job in pending.items() if (run_id in before) == is_first}
        yield from _run_pending(wave, store, workers, execute)


def _run_pending(
    pending: dict[str, Job], store: RunStore, workers: Workers, execute: Execute | None
) -> Iterator[Outcome]:
    """Yield outcomes as jobs end; those that another command is doing come last."""
    for job in pending.values():  # marks that an earlier command left say nothing of this one
        store.forget_cut_off(job.spec)
    busy = []
    for outcome in _run_all(list(pending.values()), store, workers, False, execute):
        if outcome.status == "busy":
            busy.append(pending[outcome.run_id])
        else:
            yield outcome
    yield from _run_all(busy, store, workers, True, execute)


def _run_all(
    jobs: list[Job],
    store: RunStore,
    workers: Workers,
    waits: bool,
    execute: Execute | None,
    *,
    is_retry: bool = False,
) -> Iterator[Outcome]:
    """Yield outcomes as jobs end, whatever becomes of the workers.

    When a worker dies, all runs that were under way end with it. They are tried again in halves, so
    that the one that kills its worker ends up alone, and fails alone.
    """
    if not jobs:
        return
    left = {job.spec.run_id: job for job in jobs}
    try:
        for outcome in _run_parallel(jobs, store, workers, waits, execute):
            del left[outcome.run_id]
            yield outcome
    except Exception as error:
        if not _is_loss_of_worker(error):
            raise
        if is_retry and len(jobs) == 1:
            yield _give_up(jobs[0], store)
            return
        victims = _take_victims(left, store) or [left.pop(run_id) for run_id in list(left)]
        middle = -(-len(victims) // 2)
        for half in (victims[:middle], victims[middle:]):
            yield from _run_all(half, store, workers, waits, execute, is_retry=True)
        yield from _run_all(list(left.values()), store, workers, waits, execute)


def _run_parallel(
    jobs: list[Job], store: RunStore, workers: Workers, waits: bool, execute: Execute | None
) -> Iterator[Outcome]:
    """Yield outcomes as jobs end.

    Raises:
        TerminatedWorkerError: if a worker of this machine died.
        KilledWorker: if a job lost several workers of a cluster.
    """
    with own_folder("relevance-slots-") as slots:
        # calls without arguments: Dask would keep large ones on a worker that may vanish
        if workers.scheduler:
            where, jobs, owner = store.folder.absolute(), [_fix_paths(j) for j in jobs], 0
        else:
            where, owner = store.folder, os.getpid()
        calls = [
            partial(run_job, job, where, workers, slots, waits, execute, owner) for job in jobs
        ]
        if workers.scheduler:
            yield from _run_on_cluster(calls, where, workers)
        elif min(workers.count, len(jobs)) == 1:
            yield from _run_in_one_process(calls, workers)
        else:
            yield from Parallel(
                n_jobs=min(workers.count, len(jobs)),
                backend="loky",
                inner_max_num_threads=workers.threads,
                **_STREAM,
            )(delayed(call)() for call in calls)


class _Stream(TypedDict):
    return_as: Literal["generator_unordered"]
    batch_size: int
    pre_dispatch: str


_STREAM: _Stream = {
    "return_as": "generator_unordered",
    "batch_size": 1,
    "pre_dispatch": "n_jobs + 1",
}
"""Outcomes come as soon as there are any, and jobs start in their order."""

Call: TypeAlias = Callable[[], Outcome]


def _run_in_one_process(calls: Sequence[Call], workers: Workers) -> Iterator[Outcome]:
    """Yield outcomes of one worker process; joblib would run a single worker's jobs in this one."""
    threads = dict.fromkeys(_THREAD_VARIABLES, str(workers.threads))
    executor = get_memmapping_executor(1, env=threads)
    try:
        for call in calls:
            yield executor.submit(call).result()
    except BaseException:
        executor.shutdown(wait=False, kill_workers=True)  # type: ignore[call-arg]
        raise


_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def _fix_paths(job: Job) -> Job:
    """Return a job for a process with another working folder."""
    data, parents = (
        {name: path.absolute() for name, path in folders.items()}
        for folders in (job.data, job.parents)
    )
    return dataclasses.replace(job, data=data, parents=parents)


def _run_on_cluster(calls: Sequence[Call], folder: Path, workers: Workers) -> Iterator[Outcome]:
    """Yield outcomes of a Dask cluster's workers."""
    from hmnet.jobs.dask import GPU, check_shared_folder, connect, follow

    folder.mkdir(parents=True, exist_ok=True)
    needs = {GPU: 1} if workers.devices[0] != "cpu" else None
    with connect(workers.scheduler) as client:
        check_shared_folder(client, folder)

        def run() -> Iterator[Outcome]:
            with parallel_config("dask", client=client, resources=needs, pure=False):
                yield from Parallel(n_jobs=-1, **_STREAM)(delayed(call)() for call in calls)

        yield from follow(client, workers.scheduler, run)


def _is_loss_of_worker(error: Exception) -> bool:
    """Tell whether workers died: one of this machine, or several of a cluster at one job."""
    return isinstance(error, TerminatedWorkerError) or type(error).__name__ == "KilledWorker"


def _take_victims(left: dict[str, Job], store: RunStore) -> list[Job]:
    """Remove and return the jobs that were under way in a worker that died."""
    victims = [run_id for run_id, job in left.items() if store.was_cut_off(job.spec)]
    for run_id in victims:
        store.unmark(left[run_id].spec)
    return [left.pop(run_id) for run_id in victims]


def _give_up(job: Job, store: RunStore) -> Outcome:
    known = store.failure(job.spec)
    message = "The worker process died in this run, and again when the run was tried alone" + (
        f": {known.error}" if known else " (out of memory, or a crash in native code)."
    )
    store.fail(job.spec, RunFailure(message, known.traceback if known else ""))
    return Outcome(job.spec.run_id, "failed", error=message)
