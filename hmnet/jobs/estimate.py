"""How long runs will take, from a short timing on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from joblib import Parallel, delayed

from hmnet.jobs.cost import choose_timed, count_tokens, estimate_seconds, measure_speed
from hmnet.jobs.prepared import PreparedStudy
from hmnet.jobs.progress_line import format_seconds
from hmnet.jobs.schedule import list_before
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Job, Machine
from hmnet.runs.store import RunStore


def print_jobs(
    prepared: PreparedStudy,
    jobs: Sequence[Job],
    store: RunStore,
    workers: Workers,
    say: Callable[[str], None] = print,
) -> None:
    """Print how many runs are done, and what the others will take, from a short timing."""
    by_id = {job.spec.run_id: job for job in (*jobs, *list_before(jobs))}
    missing = [
        job for job in by_id.values() if not store.is_done(job.spec, with_model=job.keep_model)
    ]
    say(f"{len(by_id) - len(missing)} already done, {len(missing)} to do")
    if missing:
        _print_estimate(prepared, missing, workers, say)


def _print_estimate(
    prepared: PreparedStudy, missing: Sequence[Job], workers: Workers, say: Callable[[str], None]
) -> None:
    train = sum(
        tokens for job in missing for tokens, _ in count_tokens(job, prepared.data).values()
    )
    say(f"{train / 1e6:,.1f} M training tokens")
    workers = workers.fill(missing)
    seconds = estimate_sweep(prepared, missing, workers)
    say(
        f"about {format_seconds(seconds)} on {workers.count} workers ({', '.join(workers.devices)})"
        + (", timed on the CPU of this machine, not on the cluster" if workers.scheduler else "")
    )


def estimate_sweep(prepared: PreparedStudy, jobs: Sequence[Job], workers: Workers) -> float:
    """Return the seconds that jobs will take, from a short timing on all workers at once.

    Workers of a cluster are taken for as fast as this machine's cores.
    """
    timed = [prepared.single(name, prepared.study.seeds[0]) for name in choose_timed(prepared.data)]
    here = workers.here()
    parallel = Parallel(n_jobs=here.count, inner_max_num_threads=here.threads)
    speeds = parallel(
        delayed(measure_speed)(timed, Machine(device, here.threads)) for device in here.devices
    )
    per_worker = [
        sum(estimate_seconds(job, prepared.data, speed) for job in jobs) for speed in speeds
    ]
    return sum(per_worker) / len(per_worker) / workers.count
