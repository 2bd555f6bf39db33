"""Scores that need no learning: the majority class, and tasks that were not beyond it alone.

Legend: N dev examples, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analysis.scores.predictions import Predictions
from analysis.scores.resampling import score_runs
from hmnet.study.metrics import METRICS
from hmnet.study.task_kinds import TASK_KINDS

ROUNDING = 1e-9
"""What rounding may leave between two equal scores."""


def measure_majority(predictions: Predictions) -> float:
    """Return the best score of a constant answer: the majority class for accuracy, 0 correlation.

    For F1 it is the better of both classes (that of naming the positive class everywhere), for
    errors the better of median and mean (the least MAE, and the least RMSE); for metrics of odds,
    any constant.
    """
    labels = predictions.labels
    middles = [np.median(labels), np.mean(labels, dtype=np.float64)]
    answers = np.unique(labels) if is_classification(predictions) else np.array(middles)
    constant = np.repeat(answers[:, None], len(labels), axis=1)
    return float(score_runs(predictions, constant).max())


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
