"""What a comparison's systems took to train: the seconds of their runs, and of their teachers'."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hmnet.jobs.prepared import PreparedStudy
from hmnet.jobs.progress_line import format_seconds
from hmnet.jobs.schedule import list_before
from hmnet.runs.job import Job
from hmnet.runs.store import RunStore
from relevance.systems.systems import System, plan_system


def describe_cost(prepared: PreparedStudy, systems: Sequence[System], store: RunStore) -> str:
    """Return the training time of each system's runs with one seed, on one worker."""
    shown = ", ".join(_list_costs(prepared, systems, store))
    return f"training time with one seed, on one worker: {shown}"


def _list_costs(
    prepared: PreparedStudy, systems: Sequence[System], store: RunStore
) -> Iterator[str]:
    for system in systems:
        plans = [plan_system(prepared, system, seed) for seed in prepared.study.seeds]
        done = [jobs for jobs in plans if all(store.is_done(job.spec) for job in jobs)]
        if not done:
            continue
        own = sum(_sum_seconds(jobs, store) for jobs in done) / len(done)
        first = sum(_sum_seconds(list_before(jobs), store) for jobs in done) / len(done)
        teachers = f" and {format_seconds(first)} of its teachers" if first else ""
        yield f"{system.name} {format_seconds(own)}{teachers}"


def _sum_seconds(jobs: Iterable[Job], store: RunStore) -> float:
    return sum(store.result(job.spec).seconds["train"] for job in jobs if store.is_done(job.spec))
