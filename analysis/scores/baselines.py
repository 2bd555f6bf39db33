"""Scores that need no learning: the majority class, and tasks that were not beyond it alone.

Legend: N dev examples, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from analysis.scores.predictions import Predictions
from analysis.scores.resampling import score_runs
from hmnet.study.metrics import METRICS
from hmnet.study.task_kinds import TASK_KINDS

MOST_FREQUENT = 32
"""Most labels of a constant set that are tried one more at a time."""
ROUNDING = 1e-9
"""What rounding may leave between two equal scores."""


def measure_majority(predictions: Predictions) -> float:
    """Return the best score of a constant answer: the majority class for accuracy, 0 correlation.

    For F1 it is the better of both classes (that of naming the positive class everywhere), for
    errors the better of median and mean (the least MAE, and the least RMSE); for metrics of odds,
    any constant. Of sets of labels it is the best of the most frequent labels, or none, or all.
    """
    labels = predictions.labels
    if labels.ndim > 1:
        return max(_score_constant_sets(predictions))
    middles = [np.median(labels), np.mean(labels, dtype=np.float64)]
    answers = np.unique(labels) if is_classification(predictions) else np.array(middles)
    constant = np.repeat(answers[:, None], len(labels), axis=1)
    return float(score_runs(predictions, constant).max())


def _score_constant_sets(predictions: Predictions) -> Iterator[float]:
    """Yield the score of each constant set: the labels in the order of how frequent they are."""
    labels = predictions.labels
    frequent = labels.mean(axis=0)
    order, count = np.argsort(-frequent, kind="stable"), labels.shape[1]
    if METRICS[predictions.metric].reads_odds:
        yield float(score_runs(predictions, np.broadcast_to(frequent, (1, *labels.shape)))[0])
        return
    for size in {*range(min(count, MOST_FREQUENT) + 1), count}:
        named = np.isin(np.arange(count), order[:size]).astype(labels.dtype)
        yield float(score_runs(predictions, np.broadcast_to(named, (1, *labels.shape)))[0])


def has_learned(single: float, majority: float) -> bool:
    """Tell whether a mean single score is beyond the best constant answer's; else nothing was.

    >>> has_learned(0.8, 0.8), has_learned(0.81, 0.8)
    (False, True)
    """
    return single > majority + ROUNDING


def find_undefined(predictions: Mapping[str, Predictions]) -> list[str]:
    """Return the targets whose mean single score does not beat the best constant answer."""
    return [
        task
        for task, found in predictions.items()
        if not has_learned(
            float(score_runs(found, found.single.values).mean()), measure_majority(found)
        )
    ]


def is_classification(predictions: Predictions) -> bool:
    """Tell whether a task's metric is one of classes, be it of rows or of words."""
    return TASK_KINDS[METRICS[predictions.metric].kind].answer == "class"


def names_classes(predictions: Predictions) -> bool:
    """Tell whether a task's predictions are classes, not values or odds."""
    return is_classification(predictions) and not METRICS[predictions.metric].reads_odds
