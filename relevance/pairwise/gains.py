"""The matrix of relative gains (equation 4), from the scores of a sweep."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.gains.scales import compute_gains
from hmnet.jobs.prepared import PreparedStudy, describe_study
from relevance.matrices.matrix import RelevanceMatrix


def measure_gains(
    scores: pd.DataFrame, prepared: PreparedStudy, provenance: Mapping[str, object] | None = None
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
        joint, single = (means.get((target, partner), np.nan) for partner in (source, ""))
        values[i, j] = compute_gains(joint, single)
        seeds[i, j] = counts.get((target, source), 0)
    n_dev = [count_dev(prepared, task) for task in tasks]
    return RelevanceMatrix.from_array(
        values,
        tasks,
        "pairwise",
        {**describe_study(prepared), **(provenance or {})},
        n_seeds=seeds,
        n_dev=np.tile(np.asarray(n_dev, dtype=np.float64), (len(tasks), 1)),
    )


def count_dev(prepared: PreparedStudy, task: str) -> int:
    """Return how many dev examples a task has, over all its dev splits."""
    data = prepared.data[task]
    return sum(len(data.splits[split]) for split in data.task.dev_splits)
