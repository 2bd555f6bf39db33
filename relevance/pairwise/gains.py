"""The matrix of relative gains (equation 4), from the scores of a sweep."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.gains.scales import compute_gains
from hmnet.study.metrics import is_error
from relevance.matrices.matrix import RelevanceMatrix

if TYPE_CHECKING:
    from hmnet.jobs.prepared import PreparedStudy


def measure_gains(
    scores: pd.DataFrame, prepared: PreparedStudy, provenance: Mapping[str, object] | None = None
) -> RelevanceMatrix:
    """Return the matrix of relative gains (equation 4), from the scores of `tabulate_scores`.

    See `tabulate_gain_matrix`; the provenance names the study.
    """
    from hmnet.jobs.prepared import describe_study

    n_dev = {task: float(count_dev(prepared, task)) for task in prepared.study.tasks}
    origin = {**describe_study(prepared), **(provenance or {})}
    errors = [name for name, task in prepared.study.tasks.items() if is_error(task.metric)]
    return tabulate_gain_matrix(scores, list(prepared.study.tasks), n_dev, origin, errors)


def tabulate_gain_matrix(
    scores: pd.DataFrame,
    tasks: Sequence[str],
    n_dev: Mapping[str, float],
    provenance: Mapping[str, object],
    errors: Collection[str] = (),
) -> RelevanceMatrix:
    """Return the matrix of relative gains (equation 4), from scores wherever they come from.

    A cell is NaN where a run is missing, or where the single score (or error) is not positive, so
    that a relative gain has no meaning. The diagonal is 0.

    Args:
        scores: with the columns of `relevance.pairwise.sweep_record_format.SCORES`.
        tasks: T names, in the matrix' order.
        n_dev: task to its number of dev examples, NaN where that is not known.
        errors: tasks whose scores are the negatives of errors.
    """
    means = scores.groupby(["task", "partner"])["score"].mean()
    counts = scores.groupby(["task", "partner"])["score"].count()
    values = np.zeros((len(tasks), len(tasks)))
    seeds = np.full_like(values, np.nan)
    for (i, source), (j, target) in itertools.permutations(enumerate(tasks), 2):
        joint, single = (means.get((target, partner), np.nan) for partner in (source, ""))
        values[i, j] = compute_gains(joint, single, is_error=target in errors)
        seeds[i, j] = counts.get((target, source), 0)
    dev = np.array([n_dev[task] for task in tasks], dtype=np.float64)
    return RelevanceMatrix.from_array(
        values,
        tasks,
        "pairwise",
        provenance,
        n_seeds=seeds,
        n_dev=np.tile(dev, (len(tasks), 1)),
    )


def count_dev(prepared: PreparedStudy, task: str) -> int:
    """Return how many dev examples a task has, over all splits that it is judged by."""
    return prepared.data[task].n_judged
