"""The tokens and losses of a training so far, read from the device several steps at a time.

Reading a loss from a GPU waits for all work that is queued there, and leaves it idle until the
next step's kernels are launched. So losses are collected on the GPU, and read together every
`STEPS_AT_ONCE` steps; on a CPU at each step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

import torch
from torch import Tensor

from hmnet.training.divergence import DivergedError
from hmnet.training.steps import Step

STEPS_AT_ONCE = 32
"""Steps whose losses a GPU hands over at once; a training that diverges ends that much later."""


class LossLine(TypedDict):
    """What is logged of a step: its number, its epoch, and its task's loss."""

    step: int
    epoch: int
    task: str
    loss: float


class LossSums(TypedDict):
    """Sums over a training's steps so far; `loss_*` by task, of the last epoch alone."""

    tokens: int
    loss_sum: Mapping[str, float]
    loss_count: Mapping[str, int]


class LossRecord:
    """Sums over a training's steps.

    Args:
        steps: every step of the run, in order.
        log: called with step, epoch, task and loss of every step, in order.
        sums: what `state` returned, for a training that is resumed.
        list_tasks: from a step to the tasks that it trains, with the places of their losses among
            its sums; None for the step's own, at 0.

    Attributes:
        tokens: training tokens of the steps that were read.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        log: Callable[[LossLine], None] | None = None,
        sums: LossSums | None = None,
        list_tasks: Callable[[Step], Sequence[tuple[int, str]]] | None = None,
    ) -> None:
        self._list_tasks = list_tasks or (lambda step: [(0, step.task)])
        self._steps = steps
        self._log = log
        self._waiting: list[tuple[int, Tensor]] = []
        sums = sums or {"tokens": 0, "loss_sum": {}, "loss_count": {}}
        self.tokens: int = sums["tokens"]
        self._loss_sum: dict[str, float] = dict(sums["loss_sum"])
        self._loss_count: dict[str, int] = dict(sums["loss_count"])

    def add(self, position: int, sums: Tensor) -> None:
        """Add a step's losses and tokens, [K + 1], on any device.

        Raises:
            DivergedError: if a loss that was read is not finite; names step and task.
        """
        self._waiting.append((position, sums))
        if _is_free(sums) or len(self._waiting) >= STEPS_AT_ONCE:
            self.read()

    def read(self) -> None:
        """Read the losses that are still on the device.

        Raises:
            DivergedError: as in `add`.
        """
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        values = torch.stack([sums for _, sums in waiting]).tolist()
        for (position, _), (*losses, tokens) in zip(waiting, values, strict=True):
            self.tokens += int(tokens)
            for place, task in self._list_tasks(self._steps[position]):
                self._take(position, task, losses[place])

    def _take(self, position: int, task: str, loss: float) -> None:
        step = self._steps[position]
        if not math.isfinite(loss):
            raise DivergedError(
                f"The training loss of `{task}` became {loss} at step {position + 1} of "
                f"{len(self._steps)}. Try a lower learning rate or a warm-up."
            )
        if step.epoch == self._steps[-1].epoch:
            self._loss_sum[task] = self._loss_sum.get(task, 0.0) + loss
            self._loss_count[task] = self._loss_count.get(task, 0) + 1
        if self._log is not None:
            self._log({"step": position, "epoch": step.epoch, "task": task, "loss": loss})

    def state(self) -> LossSums:
        """Return the sums over all steps so far, as plain values for a checkpoint."""
        self.read()
        return {
            "tokens": self.tokens,
            "loss_sum": self._loss_sum,
            "loss_count": self._loss_count,
        }

    def final_loss(self) -> dict[str, float]:
        """Return each task's mean loss over the last epoch."""
        self.read()
        return {task: self._loss_sum[task] / self._loss_count[task] for task in self._loss_sum}


def _is_free(sums: Tensor) -> bool:
    """Tell whether a tensor can be read without waiting for a device."""
    return sums.device.type == "cpu"
