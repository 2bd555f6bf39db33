"""Rows of rare classes count more in training, where a study asks for it.

    loss = sum_i w[y_i] * cross_entropy_i / B            w: mean 1 over the training rows

`balanced` weights are in inverse proportion to how often a class occurs among the training rows
(King and Zeng 2001; scikit-learn's `class_weight`). Of given weights the ratios count: all are
scaled so that a training row counts 1 on average, and the learning rate keeps its meaning. The loss
curves show the plain loss.

Of a set of labels each is a question of its own: a row that has the label counts as often as there
are rows without it for each one with it, or as often as is given.

Legend: B rows of a batch, N training rows, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hmnet.data.summary import count_labels
from hmnet.data.task_data import TaskData
from hmnet.study.settings import ClassWeights, TrainingSettings

Weights = npt.NDArray[np.float64]


def measure_class_weights(
    data: Mapping[str, TaskData], settings: TrainingSettings, device: torch.device
) -> dict[str, Tensor]:
    """Return the weights of each task that has some, float32 [C]."""
    found = {}
    for name, each in data.items():
        wanted = find_weights(settings, name)
        if wanted is not None and each.task.facts.has_labels:
            counts = count_labels(each.train.labels, each.task)
            is_set = each.task.facts.answer == "set"
            rows = len(each.train)
            weights = (
                weigh_labels(counts, rows, wanted) if is_set else weigh_classes(counts, wanted)
            )
            found[name] = torch.tensor(weights, dtype=torch.float32, device=device)
    return found


def find_weights(settings: TrainingSettings, task: str) -> ClassWeights | None:
    """Return what a study asks for of a task's classes; None for nothing."""
    asked = settings.class_weights
    return asked if isinstance(asked, str) else asked.get(task)


def weigh_classes(counts: npt.NDArray[np.int64], wanted: ClassWeights) -> Weights:
    """Return a weight per class, [C], such that a training row's mean weight is 1.

    >>> weigh_classes(np.array([6, 2]), "balanced").round(3)     # 8 / (2 * 6), 8 / (2 * 2)
    array([0.667, 2.   ])
    >>> weigh_classes(np.array([6, 2]), (1.0, 3.0)).round(3)     # mean of 6 * 1 and 2 * 3: 12 / 8
    array([0.667, 2.   ])

    Args:
        counts: training rows of each class, [C]; a class without any counts as one row.
    """
    rows = np.maximum(counts, 1)
    raw = 1 / rows if isinstance(wanted, str) else np.array(wanted, dtype=np.float64)
    scaled: Weights = raw * counts.sum() / (raw * counts).sum()
    return scaled


def weigh_labels(counts: npt.NDArray[np.int64], rows: int, wanted: ClassWeights) -> Weights:
    """Return how much a row counts that has a label of a set, beside one that has it not, [C].

    >>> weigh_labels(np.array([2, 8]), 8, "balanced")     # 6 of 8 rows without the first, none
    array([3., 1.])

    Args:
        counts: training rows with each label, [C].
        rows: training rows, N.
    """
    if not isinstance(wanted, str):
        return np.array(wanted, dtype=np.float64)
    return np.where((counts > 0) & (counts < rows), (rows - counts) / np.maximum(counts, 1), 1.0)
