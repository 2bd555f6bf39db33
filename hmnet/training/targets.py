"""Regression targets with mean 0 and variance 1 while a model is trained on them.

The squared error of a raw target is in the square of its unit: a rating from 0 to 100 has gradients
that drown every other task's, and a new head that starts at 0 first has to find the mean. So the
targets of a task are standardised by its training rows. When the training ends, the output layer
takes the scale in, and predictions and exported models are in the target's own unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hmnet.data.labels import LabelArray
from hmnet.data.task_data import TaskData
from hmnet.study.settings import TrainingSettings


@dataclass(frozen=True)
class TargetScale:
    """Mean and standard deviation of a task's targets, in their unit."""

    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def of(cls, targets: LabelArray) -> TargetScale:
        """Return the scale of training targets, [N]; equal targets are only centred."""
        deviation = float(np.std(targets, dtype=np.float64))
        return cls(float(np.mean(targets, dtype=np.float64)), deviation or 1.0)

    def standardise(self, targets: Tensor) -> Tensor:
        """Return targets, [B], as numbers of deviations from the mean; class codes as they are."""
        if self == AS_THEY_ARE:
            return targets
        return (targets - self.mean) / self.deviation

    def fold_into(self, output: nn.Linear) -> None:
        """Have an output layer that predicts standardised targets predict them in their unit."""
        with torch.no_grad():
            output.weight.mul_(self.deviation)
            output.bias.mul_(self.deviation).add_(self.mean)

    def take_out_of(self, output: nn.Linear) -> None:
        """Undo `fold_into`, for an output layer that is trained further."""
        with torch.no_grad():
            output.weight.div_(self.deviation)
            output.bias.sub_(self.mean).div_(self.deviation)


AS_THEY_ARE = TargetScale()
"""Of class codes, and of raw targets."""


def measure_scales(
    data: Mapping[str, TaskData], settings: TrainingSettings
) -> dict[str, TargetScale]:
    """Return each regression task's scale; none where targets are trained on as they are."""
    if settings.targets == "raw":
        return {}
    return {
        name: TargetScale.of(each.train.labels)
        for name, each in data.items()
        if each.task.facts.answer == "value"
    }
