"""What `relevance attention` would do: runs, models and the room that these take on disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import PreparedStudy
from hmnet.models.parameter_counts import count_parameters
from hmnet.runs.job import Job
from relevance.attention.pair_maps import plan_pairs

BYTES = 4
"""Of a stored parameter: 32 bits."""


@dataclass(frozen=True)
class AttentionPlan:
    """What a comparison of attention takes.

    Attributes:
        pairs: number of pairs.
        jobs: their runs, each once.
        missing: those whose models are still to come.
        need, free: bytes of disk that these models need, and that there are.
    """

    pairs: int
    jobs: tuple[Job, ...]
    missing: tuple[Job, ...]
    need: int
    free: int


def plan_attention(
    output: Output, prepared: PreparedStudy, pairs: Sequence[tuple[str, str]]
) -> AttentionPlan:
    """Return what a comparison of the attention of some pairs takes."""
    planned = plan_pairs(prepared, list(dict.fromkeys(pairs)))
    jobs = {job.spec.run_id: job for pair in planned for job in pair.jobs}
    store = output.runs
    missing = tuple(job for job in jobs.values() if not store.is_done(job.spec, with_model=True))
    free = shutil.disk_usage(output.folder).free
    return AttentionPlan(len(planned), tuple(jobs.values()), missing, measure_models(missing), free)


def describe_attention_plan(plan: AttentionPlan) -> Iterator[str]:
    """Yield the runs, the models that are kept, and the disk that they need."""
    yield f"{plan.pairs} pairs, {len(plan.jobs)} runs whose models are kept"
    yield (
        f"{len(plan.missing)} models to come need {plan.need / 1e9:,.2f} GB of disk, "
        f"{plan.free / 1e9:,.2f} GB are free" + ("" if plan.need < plan.free else ": too few")
    )


def measure_models(jobs: Iterable[Job]) -> int:
    """Return the bytes of the weights of all jobs' models, from their shapes alone.

    Models whose tasks have the same numbers of outputs have the same size.
    """
    sizes: dict[tuple[int, ...], int] = {}
    total = 0
    for job in jobs:
        outputs = tuple(sorted(task.num_outputs for task in job.spec.tasks))
        if outputs not in sizes:
            sizes[outputs] = BYTES * count_parameters(job.spec)["overall"]
        total += sizes[outputs]
    return total
