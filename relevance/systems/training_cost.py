"""What a comparison's systems took to train: steps and seconds of their runs, and beside them.

Beside a system's own runs are those without which there would be none: its teachers', and those
with the numbers of epochs that were tried and not chosen. Steps are those of all stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace

import pandas as pd

from hmnet.jobs.prepared import PreparedStudy
from hmnet.jobs.schedule import list_before
from hmnet.runs.job import Job
from hmnet.runs.store import RunStore
from relevance.systems.comparison_format import COSTS
from relevance.systems.systems import System, plan_system


@dataclass(frozen=True)
class TrainingCost:
    """The cost of a system with one seed, on one worker.

    Attributes:
        steps, seconds: of its own runs.
        steps_beside, seconds_beside: of its teachers, and of numbers of epochs not chosen.
    """

    steps: float
    seconds: float
    steps_beside: float
    seconds_beside: float


def add_costs(
    table: pd.DataFrame, prepared: PreparedStudy, systems: Sequence[System], store: RunStore
) -> pd.DataFrame:
    """Return a table of systems with the columns of `TrainingCost`, alike for all tasks.

    NaN where a run is not done.
    """
    rows = [
        (system.name, seed, *astuple(measure_cost(prepared, system, seed, store)))
        for system in systems
        for seed in prepared.study.seeds
    ]
    costs = pd.DataFrame(rows, columns=["system", "seed", *COSTS])
    return table.merge(costs, on=["system", "seed"], how="left", validate="many_to_one")


def measure_cost(
    prepared: PreparedStudy, system: System, seed: int, store: RunStore
) -> TrainingCost:
    """Return the cost of a system, NaN where a run is not done."""
    own = plan_system(prepared, system, seed)
    tried = plan_system(prepared, replace(system, chosen={}), seed)
    ids = {job.spec.run_id for job in own}
    beside = [job for job in (*tried, *list_before(tried)) if job.spec.run_id not in ids]
    return TrainingCost(*_sum(own, store), *_sum(beside, store))


def _sum(jobs: Iterable[Job], store: RunStore) -> tuple[float, float]:
    """Return steps and seconds of jobs."""
    found = {job.spec.run_id: job.spec for job in jobs}
    if not all(store.is_done(spec) for spec in found.values()):
        return float("nan"), float("nan")
    results = [store.result(spec) for spec in found.values()]
    return float(sum(r.steps for r in results)), sum(r.seconds["train"] for r in results)
