"""Model-based relevance: gains of joint over single fine-tuning (section 3.2, equations 3-4).

For tasks s and t, one encoder is fine-tuned on t alone (score f_t) and one on both with every
layer shared (score f_jt). The relevance of s to t is (f_jt - f_t) / f_t; f is the mean of the
primary metric over the dev splits and over seeds. T tasks need T single and T (T - 1) / 2 pair
runs per seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hmnet.job import Job
from hmnet.prepared import PreparedStudy
from hmnet.runs import RunResult, RunStore
from hmnet.storage import to_plain
from relevance.matrix import RelevanceMatrix


@dataclass(frozen=True)
class PairwisePlan:
    """The runs of a sweep.

    Attributes:
        tasks: task names, in the study's order.
        singles: (task, seed) to its single run.
        pairs: (task, task, seed) to the run of both; the tasks in the study's order.
    """

    tasks: tuple[str, ...]
    singles: Mapping[tuple[str, int], Job]
    pairs: Mapping[tuple[str, str, int], Job]

    @property
    def jobs(self) -> list[Job]:
        """Every job."""
        return [*self.singles.values(), *self.pairs.values()]


def plan_pairwise(
    prepared: PreparedStudy,
    seeds: Sequence[int],
    single_seeds: Sequence[int] | None = None,
    *,
    keep_models: bool = False,
) -> PairwisePlan:
    """Plan every single and pair run.

    Args:
        seeds: seeds of the pair runs.
        single_seeds: seeds of the single runs, each of which decides a whole column; as `seeds`
            if None.
    """
    names = tuple(prepared.study.tasks)
    singles = {
        (name, seed): prepared.single(name, seed, keep_model=keep_models)
        for name in names
        for seed in single_seeds or seeds
    }
    pairs = {
        (one, other, seed): prepared.shared((one, other), seed, keep_model=keep_models)
        for one, other in itertools.combinations(names, 2)
        for seed in seeds
    }
    return PairwisePlan(names, singles, pairs)


def read_results(plan: PairwisePlan, store: RunStore) -> dict[str, RunResult]:
    """Return run id to result for every run of the plan that is done."""
    specs = [job.spec for job in plan.jobs]
    return {spec.run_id: store.result(spec) for spec in specs if store.is_done(spec)}


def tabulate_scores(plan: PairwisePlan, results: Mapping[str, RunResult]) -> pd.DataFrame:
    """Return a row per run and task: run, task, partner (empty for singles), seed and score."""
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
    return pd.DataFrame(rows, columns=["run", "task", "partner", "seed", "score"])


def measure_gains(
    scores: pd.DataFrame, prepared: PreparedStudy, provenance: Mapping[str, Any] | None = None
) -> RelevanceMatrix:
    """Return the matrix of relative gains (equation 4), from the scores of `tabulate_scores`.

    A cell is NaN where a run is missing, or where the single score is not positive, so that a
    relative gain has no meaning. The diagonal is 0.
    """
    tasks = list(prepared.study.tasks)
    means = scores.groupby(["task", "partner"])["score"].mean()
    counts = scores.groupby(["task", "partner"])["score"].count()
    values = np.zeros((len(tasks), len(tasks)))
    seeds = np.full_like(values, np.nan)
    for (i, source), (j, target) in itertools.permutations(enumerate(tasks), 2):
        values[i, j] = _relative_gain(means.get((target, source)), means.get((target, "")))
        seeds[i, j] = counts.get((target, source), 0)
    n_dev = [_count_dev(prepared, task) for task in tasks]
    return RelevanceMatrix.from_array(
        values,
        tasks,
        "pairwise",
        {**describe_study(prepared), **(provenance or {})},
        n_seeds=seeds,
        n_dev=np.tile(np.asarray(n_dev, dtype=np.float64), (len(tasks), 1)),
    )


def _relative_gain(joint: float | None, single: float | None) -> float:
    if joint is None or single is None or single <= 0:
        return float("nan")
    return (joint - single) / single


def _count_dev(prepared: PreparedStudy, task: str) -> int:
    data = prepared.data[task]
    return sum(len(data.splits[split]) for split in data.task.dev_splits)


def describe_study(prepared: PreparedStudy) -> dict[str, Any]:
    """Return what decides the numbers of a study's runs, for a matrix' provenance."""
    return {
        "model": to_plain(prepared.model),
        "training": to_plain(prepared.study.training),
        "rows": to_plain(prepared.study.rows),
        "data": {name: data.fingerprint for name, data in prepared.data.items()},
    }
