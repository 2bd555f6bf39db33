"""What the runs of a pairwise plan have left: scores, predictions and losses."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.scores.predictions import StoredPredictions
from hmnet.runs.result import RunResult
from hmnet.runs.store import RunStore
from relevance.pairwise.plan import PairwisePlan
from relevance.pairwise.sweep_record_format import SCORES


def read_losses(plan: PairwisePlan, store: RunStore) -> dict[str, dict[tuple[str, int], float]]:
    """Return task to (partner or "", seed) to the loss of its last steps, for all finished runs."""
    losses: dict[str, dict[tuple[str, int], float]] = {name: {} for name in plan.tasks}
    for (task, seed), job in plan.singles.items():
        if store.is_done(job.spec):
            losses[task]["", seed] = store.late_losses(job.spec)[task]
    for (one, other, seed), job in plan.pairs.items():
        if store.is_done(job.spec):
            final = store.late_losses(job.spec)
            losses[one][other, seed], losses[other][one, seed] = final[one], final[other]
    return losses


def read_stored(plan: PairwisePlan, store: RunStore) -> list[StoredPredictions]:
    """Read the dev predictions of every finished run of a sweep, task by task.

    A task without a finished single run is left out, as source and as target: nothing says what
    it gains, and its partners' gains from it belong to no whole matrix.
    """
    tasks = {job.spec.tasks[0].name: job.spec.tasks[0] for job in plan.singles.values()}
    single: dict[str, dict[int, pd.DataFrame]] = {}
    for (name, seed), job in plan.singles.items():
        if store.is_done(job.spec):
            single.setdefault(name, {})[seed] = store.predictions(job.spec, name)
    joint: dict[str, dict[str, dict[int, pd.DataFrame]]] = {name: {} for name in single}
    for (one, other, seed), job in plan.pairs.items():
        if {one, other} <= set(single) and store.is_done(job.spec):
            for task, partner in ((one, other), (other, one)):
                frame = store.predictions(job.spec, task)
                joint[task].setdefault(partner, {})[seed] = frame
    return [
        StoredPredictions(tasks[name], single[name], joint[name])
        for name in plan.tasks
        if name in single
    ]


def read_results(plan: PairwisePlan, store: RunStore) -> dict[str, RunResult]:
    """Return run id to result for every run of the plan that is done."""
    specs = [job.spec for job in plan.jobs]
    return {spec.run_id: store.result(spec) for spec in specs if store.is_done(spec)}


def tabulate_scores(plan: PairwisePlan, results: Mapping[str, RunResult]) -> pd.DataFrame:
    """Return the scores of a plan's runs, with the columns of `SCORES`."""
    rows = [
        (job.spec.run_id, task, "", seed, results[job.spec.run_id].primary[task])
        for (task, seed), job in plan.singles.items()
        if job.spec.run_id in results
    ]
    for (one, other, seed), job in plan.pairs.items():
        if job.spec.run_id in results:
            primary = results[job.spec.run_id].primary
            rows.append((job.spec.run_id, one, other, seed, primary[one]))
            rows.append((job.spec.run_id, other, one, seed, primary[other]))
    return pd.DataFrame(rows, columns=list(SCORES.columns))
