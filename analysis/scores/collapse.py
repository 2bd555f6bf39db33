"""Runs that did not learn their task: they end at the loss of guessing, or name one class.

    collapsed = find_collapsed(predictions["rte"], losses)
    kept = predictions["rte"].drop((run.partner, run.seed) for run in collapsed)   # in the open

Small-set instability is mostly failed optimisation (Mosbach et al. 2021). Such a run is not a bad
draw of the same distribution, so it is listed; whether it counts is the caller's open decision.

Legend: N dev examples, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.levels import SIGNIFICANCE
from analysis.scores.baselines import is_classification, names_classes
from analysis.scores.predictions import Array, Predictions

CHANCE_FRAC = 0.97
"""A run whose last steps' loss is at least this share of chance has not learned its task, unless
its dev predictions say otherwise."""
Losses = Mapping[tuple[str, int], float]
ONE_CLASS = "one class predicted"
COLLAPSED_COLUMNS = ("task", "partner", "seed", "reason")


@dataclass(frozen=True)
class CollapsedRun:
    """A run that did not learn one of its tasks.

    Attributes:
        partner: the task it was trained with; empty for a single run.
        reasons: `ONE_CLASS`, `constant predictions`, `loss at chance`.
    """

    task: str
    partner: str
    seed: int
    reasons: tuple[str, ...]


def find_collapsed(
    predictions: Predictions, losses: Losses | None = None, chance_frac: float = CHANCE_FRAC
) -> list[CollapsedRun]:
    """Return the runs of a task that predict one class (or value), or end at the loss of guessing.

    A task with a single class among its dev labels is not judged by its predictions.

    Args:
        losses: (partner or "", seed) to the task's mean training loss over its last steps. It
            counts only where the dev predictions are no better than a constant answer
            (`beats_constant`).
        chance_frac: share of the loss of guessing from which a loss counts as chance.
    """
    losses = losses or {}
    chance = measure_chance_loss(predictions)
    found = []
    for partner, arm in predictions.arms.items():
        for seed, values in zip(arm.seeds, arm.values, strict=True):
            reasons = _judge(predictions, values)
            is_at_chance = losses.get((partner, seed), -np.inf) >= chance_frac * chance > 0
            if is_at_chance and not beats_constant(predictions, values):
                reasons.append("loss at chance")
            if reasons:
                found.append(CollapsedRun(predictions.task, partner, seed, tuple(reasons)))
    return found


def _judge(predictions: Predictions, values: Array) -> list[str]:
    word = ONE_CLASS if names_classes(predictions) else "constant predictions"
    return [word] if is_constant(values, predictions.labels) else []


def beats_constant(predictions: Predictions, values: Array) -> bool:
    """Tell whether predictions, [N], go with the labels beyond noise: a constant answer never does.

    The hits (of values: the products of deviations) are compared with those of the same predictions
    dealt out at random, whose mean and variance are known; one-sided at `SIGNIFICANCE`.
    """
    if names_classes(predictions):
        surplus, variance = _count_surplus_hits(predictions.labels, values)
    else:
        surplus, variance = _sum_products(predictions.labels, values)
    return variance > 0 and surplus / variance**0.5 > NormalDist().inv_cdf(1 - SIGNIFICANCE)


def _sum_products(labels: Array, values: Array) -> tuple[float, float]:
    """Return the sum of products of deviations, and its variance where rows are dealt out anew.

    With deviations a and b, [N, L] (L is 1 but for sets): sum a_i b_i, with the variance
    sum_jk (a'a)_jk (b'b)_jk / (N - 1).
    """
    flat = [np.asarray(x, float).reshape(len(x), -1) for x in (labels, values)]
    a, b = (x - x.mean(axis=0) for x in flat)
    return float((a * b).sum()), float(((a.T @ a) * (b.T @ b)).sum() / max(len(a) - 1, 1))


def _count_surplus_hits(labels: Array, values: Array) -> tuple[float, float]:
    """Return how many more hits there are than by chance, and the variance of chance.

    With n_c labels and m_c predictions of class c, dealt out at random: sum n_c m_c / N hits, with
    variance [sum a_c (N - n_c) (N - m_c) + (sum a_c)^2 - sum a_c^2] / (N^2 (N - 1)), a_c = n_c m_c.
    """
    size = len(labels)
    classes = np.union1d(labels, values)
    n, m = (np.array([np.sum(x == c) for c in classes], float) for x in (labels, values))
    a = n * m
    mixed = a.sum() ** 2 - (a**2).sum()
    variance = ((a * (size - n) * (size - m)).sum() + mixed) / (size**2 * max(size - 1, 1))
    return float(np.sum(labels == values) - a.sum() / size), float(variance)


def is_constant(predicted: npt.ArrayLike, labels: npt.ArrayLike) -> bool:
    """Tell whether predictions are the same for every example where the labels, [N], are not.

    >>> is_constant([1, 1, 1], [0, 1, 1]), is_constant([1, 1, 1], [1, 1, 1])
    (True, False)
    """
    return len(np.unique(predicted, axis=0)) == 1 and len(np.unique(labels, axis=0)) > 1


def measure_chance_loss(predictions: Predictions) -> float:
    """Return the loss of the best guess that ignores the text, from the dev labels.

    Cross-entropy in nats: the entropy of the labels, of sets the mean over them. Squared error:
    their variance.
    """
    if predictions.labels.ndim > 1:
        has = np.clip(predictions.labels.mean(axis=0), 1e-12, 1 - 1e-12)
        return float(-(has * np.log(has) + (1 - has) * np.log(1 - has)).mean())
    if not is_classification(predictions):
        return float(np.var(predictions.labels))
    frac = np.unique(predictions.labels, return_counts=True)[1] / len(predictions.labels)
    return float(-(frac * np.log(frac)).sum())


def tabulate_collapsed(runs: Iterable[CollapsedRun]) -> pd.DataFrame:
    """Return a row per collapsed run with the columns `COLLAPSED_COLUMNS`."""
    rows = [(run.task, run.partner, run.seed, "; ".join(run.reasons)) for run in runs]
    return pd.DataFrame(rows, columns=list(COLLAPSED_COLUMNS))
