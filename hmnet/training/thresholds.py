"""From which probability on a row has a label of a multi-label task.

A threshold is taken into the output layer when a training ends: its biases are moved so that a
label is named where its output is above 0, a probability of one half. So a stock pipeline, which
knows no other threshold, names the same labels as `hmnet predict`; probabilities are then those
beside the threshold. One that is chosen is the best on held-out training rows, the same for all
labels of a task; dev rows have no part in it.

Legend: N held-out rows, L labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from hmnet.data.labels import LabelArray
from hmnet.data.task_data import HELD_OUT, TaskData
from hmnet.errors import raise_problems
from hmnet.models.paths import PathModel, find_output
from hmnet.study.metrics import METRICS
from hmnet.study.settings import TrainingSettings
from hmnet.training.evaluation import Logits, predict

HELD_OUT_ROWS = "held-out"
"""The setting for a threshold that is chosen."""
MOST_TRIED = 99
"""Thresholds that are tried: quantiles of the outputs, beside one half."""


def check_thresholds(data: Mapping[str, TaskData], settings: TrainingSettings) -> None:
    """Refuse thresholds that are to be chosen where there are no rows to choose them by.

    Raises:
        InputError: with every task that has none.
    """
    raise_problems(
        "Parameter `rows.holdout` should be given where `training.threshold` is `held-out`. Found "
        f"no held-out rows of `{name}`."
        for name, each in data.items()
        if settings.threshold == HELD_OUT_ROWS
        and each.task.facts.answer == "set"
        and HELD_OUT not in each.splits
    )


def settle_thresholds(
    model: PathModel, data: Mapping[str, TaskData], settings: TrainingSettings, device: torch.device
) -> None:
    """Take the threshold of each multi-label task into its output layer, in place."""
    for name, each in data.items():
        if each.task.facts.answer != "set" or settings.threshold == 0.5:
            continue
        output = find_output(model.path(name))
        with torch.no_grad():
            output.bias.sub_(_find_cut(model, each, settings, device))


def _find_cut(
    model: PathModel, data: TaskData, settings: TrainingSettings, device: torch.device
) -> float:
    """Return the output above which a row has a label."""
    if settings.threshold != HELD_OUT_ROWS:
        threshold = float(settings.threshold)
        return math.log(threshold / (1 - threshold))
    held = data.splits[HELD_OUT]
    outputs = predict(model, data.task.name, held, settings.precision, device)
    metric = data.task.metric
    return choose_cut(
        outputs, held.labels, "label_f1_micro" if METRICS[metric].reads_odds else metric
    )


def choose_cut(outputs: Logits, labels: LabelArray, metric: str) -> float:
    """Return the cut with the best metric, the one nearest to 0 of several, from outputs [N, L].

    >>> labels = np.array([[1, 0], [0, 1], [0, 0]], dtype=np.int8)
    >>> outputs = np.array([[-1.0, -4.0], [-3.0, -1.0], [-5.0, -4.0]])
    >>> -3.0 <= choose_cut(outputs, labels, "label_f1_micro") < -1.0     # above 0 there is none
    True
    """
    tried = np.quantile(outputs, np.linspace(0, 1, MOST_TRIED + 2)[1:-1])
    cuts = sorted({0.0, *tried.tolist()}, key=abs)
    questions = np.full(len(labels), -1)
    compute = METRICS[metric].compute
    scores = [compute(labels, (outputs > cut).astype(np.int8), questions) for cut in cuts]
    return cuts[int(np.argmax(scores))]
