"""What `relevance attention` would do: runs, models and the room that these take on disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence

from hmnet.folder.outputs import Output
from hmnet.jobs.estimate import print_jobs
from hmnet.jobs.prepared import PreparedStudy
from hmnet.jobs.workers import Workers
from hmnet.models.parameter_counts import count_parameters
from hmnet.runs.job import Job
from relevance.attention.study import plan_pairs

BYTES = 4
"""Of a stored parameter: 32 bits."""


def print_attention_plan(
    output: Output,
    prepared: PreparedStudy,
    pairs: Sequence[tuple[str, str]],
    workers: Workers,
    say: Callable[[str], None] = print,
) -> None:
    """Print runs, models kept, disk needed and the estimated time; run nothing."""
    planned = plan_pairs(prepared, list(dict.fromkeys(pairs)))
    jobs = {job.spec.run_id: job for pair in planned for job in pair.jobs}
    store = output.runs
    missing = [job for job in jobs.values() if not store.is_done(job.spec, with_model=True)]
    need = measure_models(missing)
    free = shutil.disk_usage(output.folder).free
    say(f"{len(planned)} pairs, {len(jobs)} runs whose models are kept")
    say(
        f"{len(missing)} models to come need {need / 1e9:,.2f} GB of disk, {free / 1e9:,.2f} GB "
        "are free" + ("" if need < free else ": too few")
    )
    print_jobs(prepared, list(jobs.values()), store, workers, say)


def measure_models(jobs: Iterable[Job]) -> int:
    """Return the bytes of the weights of all jobs' models, from their shapes alone.

    Models whose tasks have as many outputs are as large.
    """
    sizes: dict[tuple[int, ...], int] = {}
    total = 0
    for job in jobs:
        outputs = tuple(sorted(task.num_outputs for task in job.spec.tasks))
        if outputs not in sizes:
            sizes[outputs] = BYTES * count_parameters(job.spec)["overall"]
        total += sizes[outputs]
    return total
