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

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.scores.baselines import is_classification
from analysis.scores.predictions import Array, Predictions

CHANCE_FRAC = 0.97
"""A run whose last epoch's loss is at least this share of chance has not learned its task."""
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
        losses: (partner or "", seed) to the task's mean training loss over the last epoch.
        chance_frac: share of the loss of guessing from which a loss counts as chance.
    """
    losses = losses or {}
    chance = measure_chance_loss(predictions)
    found = []
    for partner, arm in predictions.arms.items():
        for seed, values in zip(arm.seeds, arm.values, strict=True):
            reasons = _judge(predictions, values)
            if losses.get((partner, seed), -np.inf) >= chance_frac * chance > 0:
                reasons.append("loss at chance")
            if reasons:
                found.append(CollapsedRun(predictions.task, partner, seed, tuple(reasons)))
    return found


def _judge(predictions: Predictions, values: Array) -> list[str]:
    word = ONE_CLASS if is_classification(predictions) else "constant predictions"
    return [word] if is_constant(values, predictions.labels) else []


def is_constant(predicted: npt.ArrayLike, labels: npt.ArrayLike) -> bool:
    """Tell whether predictions are the same for every example where the labels, [N], are not.

    >>> is_constant([1, 1, 1], [0, 1, 1]), is_constant([1, 1, 1], [1, 1, 1])
    (True, False)
    """
    return len(np.unique(predicted)) == 1 and len(np.unique(labels)) > 1


def measure_chance_loss(predictions: Predictions) -> float:
    """Return the loss of the best guess that ignores the text, from the dev labels.

    Cross-entropy in nats: the entropy of the labels. Squared error: their variance.
    """
    if not is_classification(predictions):
        return float(np.var(predictions.labels))
    frac = np.unique(predictions.labels, return_counts=True)[1] / len(predictions.labels)
    return float(-(frac * np.log(frac)).sum())


def tabulate_collapsed(runs: Iterable[CollapsedRun]) -> pd.DataFrame:
    """Return a row per collapsed run with the columns `COLLAPSED_COLUMNS`."""
    rows = [(run.task, run.partner, run.seed, "; ".join(run.reasons)) for run in runs]
    return pd.DataFrame(rows, columns=list(COLLAPSED_COLUMNS))
