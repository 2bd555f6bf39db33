"""A stopping point per task: the weights of its path at its best epoch, by held-out training rows.

At the end of each epoch every task's path is scored on rows that were taken out of its training
rows; dev rows are never looked at. In the end each task has the path of its best epoch (the first
of several that are equal), and paths no longer share anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from hmnet.data.task_data import HELD_OUT, TaskData
from hmnet.errors import raise_problems
from hmnet.models.parting import separate
from hmnet.models.paths import PathModel
from hmnet.study.settings import TrainingSettings
from hmnet.training.averaging import list_epoch_ends
from hmnet.training.evaluation import predict, score_outputs
from hmnet.training.steps import Step
from hmnet.training.targets import AS_THEY_ARE, TargetScale

Expand = Callable[[nn.Parameter], Tensor]
"""Returns a copy of a parameter, with all rows of a table that is cut to those in use."""


class BestEpochs:
    """The best path of each task so far.

    Args:
        steps: of the training; at the ends of epochs paths are scored.
        data: tasks with held-out rows.
        settings: without `stopping`, there is nothing to do.

    Raises:
        InputError: if a task has no held-out rows.

    Attributes:
        scores: task to its primary metric on its held-out rows after each epoch; an error is
            negative, so that more is better.
        ends: positions of the steps after which paths are scored.
    """

    def __init__(
        self, steps: Sequence[Step], data: Mapping[str, TaskData], settings: TrainingSettings
    ) -> None:
        is_on = settings.stopping == "task"
        self.ends = frozenset(list_epoch_ends(steps) if is_on else ())
        self.scores: dict[str, list[float]] = {name: [] for name in data} if is_on else {}
        self._data, self._precision = data, settings.precision
        self._kept: dict[str, dict[str, Tensor]] = {}
        raise_problems(
            f"Parameter `rows.holdout` should be given where `training.stopping` is `task`. Found "
            f"no held-out rows of `{name}`."
            for name in self.scores
            if HELD_OUT not in data[name].splits
        )

    def look(
        self,
        model: PathModel,
        scales: Mapping[str, TargetScale],
        device: torch.device,
        expand: Expand,
    ) -> None:
        """Score every path, and keep those that are better than ever."""
        for task, before in self.scores.items():
            found = self._score(model, task, scales.get(task, AS_THEY_ARE), device)
            if not before or found > max(before):
                parameters = model.path(task).named_parameters()
                self._kept[task] = {name: expand(p).cpu() for name, p in parameters}
            before.append(found)
        model.train()

    def _score(
        self, model: PathModel, task: str, scale: TargetScale, device: torch.device
    ) -> float:
        definition, split = self._data[task].task, self._data[task].splits[HELD_OUT]
        outputs = predict(model, task, split, self._precision, device)
        if definition.facts.answer == "value":
            outputs = outputs * scale.deviation + scale.mean
        return score_outputs(definition, outputs, split)

    def settle(self, model: PathModel) -> None:
        """Give each task the path of its best epoch, in place."""
        if not self._kept:
            return
        separate(model)
        with torch.no_grad():
            for task, values in self._kept.items():
                for name, parameter in model.path(task).named_parameters():
                    parameter.copy_(values[name])

    def save(self) -> dict[str, Tensor]:
        """Return the paths that are kept, as tensors by name."""
        return {
            f"{task}/{name}": value
            for task, values in self._kept.items()
            for name, value in values.items()
        }

    def load(self, tensors: Mapping[str, Tensor], scores: Mapping[str, Iterable[float]]) -> None:
        """Go on from what `save` returned, and the scores until then."""
        self.scores = {task: list(found) for task, found in scores.items()}
        self._kept = {task: {} for task in scores}
        for key, value in tensors.items():
            task, _, name = key.partition("/")
            self._kept[task][name] = value


def find_best(scores: Sequence[float]) -> int:
    """Return the number of the best epoch, from 1: the first of several that are equal."""
    return scores.index(max(scores)) + 1
