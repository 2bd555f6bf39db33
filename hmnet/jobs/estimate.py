"""How long runs will take, from a short timing on this machine.

The timing takes a step or a few of three tasks on every worker at once, less than a minute beside
the start of the workers; `benchmarks/sweep.py` holds the estimate against a sweep's real time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence

from joblib import Parallel, delayed

from hmnet.jobs.cost import choose_timed, count_tokens, estimate_seconds, measure_speed
from hmnet.jobs.prepared import PreparedStudy
from hmnet.jobs.progress_line import format_seconds
from hmnet.jobs.schedule import list_before
from hmnet.jobs.workers import Workers, count_cores
from hmnet.runs.job import Job, Machine
from hmnet.runs.store import RunStore

_LOG = logging.getLogger(__name__)

ERROR_FRAC = 0.25
"""Share by which sweeps were longer or shorter than their estimate, at most."""
BUSY_FRAC = 0.5
"""Share of the cores that others keep busy, from which on a timing here says little."""


def list_jobs(
    prepared: PreparedStudy, jobs: Sequence[Job], store: RunStore, workers: Workers
) -> Iterator[str]:
    """Yield how many runs are done, and what the others will take; a timing comes in between."""
    by_id = {job.spec.run_id: job for job in (*jobs, *list_before(jobs))}
    missing = [
        job for job in by_id.values() if not store.is_done(job.spec, with_model=job.keep_model)
    ]
    yield f"{len(by_id) - len(missing)} already done, {len(missing)} to do"
    if not missing:
        return
    train = sum(
        tokens for job in missing for tokens, _ in count_tokens(job, prepared.data).values()
    )
    yield f"{train / 1e6:,.1f} M training tokens"
    workers = workers.fill(missing)
    busy = find_load()
    _LOG.warning("timing a few steps on %d workers, about a minute ...", workers.count)
    found = estimate_each(prepared, missing, workers)
    if busy > BUSY_FRAC:
        cores = count_cores()
        yield (
            f"the machine is busy: {busy * cores:.1f} processes on {cores} cores when this was "
            "timed; on an idle one it takes less"
        )
    yield _describe(found, workers)


def _describe(found: Sequence[float], workers: Workers) -> str:
    mean = sum(found) / len(found)
    least, most = min(found) * (1 - ERROR_FRAC), max(found) * (1 + ERROR_FRAC)
    where = ", timed on the CPU of this machine, not on the cluster" if workers.scheduler else ""
    devices = ", ".join(dict.fromkeys(workers.devices))
    return (
        f"about {format_seconds(mean)} on {workers.count} workers ({devices})"
        f"{where}; {format_seconds(least)} to {format_seconds(most)}"
    )


def find_load() -> float:
    """Return the share of this machine's cores that were in use during the last minute."""
    return os.getloadavg()[0] / count_cores() if hasattr(os, "getloadavg") else 0.0


def estimate_sweep(prepared: PreparedStudy, jobs: Sequence[Job], workers: Workers) -> float:
    """Return the seconds that jobs will take, from a short timing on all workers at once.

    Workers of a cluster are taken for as fast as this machine's cores.
    """
    found = estimate_each(prepared, jobs, workers)
    return sum(found) / len(found)


def estimate_each(prepared: PreparedStudy, jobs: Sequence[Job], workers: Workers) -> list[float]:
    """Return the seconds that jobs will take if all workers are as fast as each one of them."""
    timed = [prepared.single(name, prepared.study.seeds[0]) for name in choose_timed(prepared.data)]
    here = workers.here()
    parallel = Parallel(n_jobs=here.count, inner_max_num_threads=here.threads)
    speeds = parallel(
        delayed(measure_speed)(timed, Machine(device, here.threads)) for device in here.devices
    )
    return [
        sum(estimate_seconds(job, prepared.data, speed) for job in jobs) / workers.count
        for speed in speeds
    ]
