"""Weights averaged over the last part of a training: the uniform mean of snapshots.

Snapshots are taken at the ends of epochs, or every few steps counted back from the last one, which
always is one. Where a model is parted, each new owner of a layer takes the sum over its snapshots
along with its weights.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from hmnet.models.parting import Pairs
from hmnet.study.settings import TrainingSettings
from hmnet.training.steps import Step


def list_epoch_ends(steps: Sequence[Step]) -> list[int]:
    """Return the position of each epoch's last step."""
    epochs = [step.epoch for step in steps]
    return [i for i, epoch in enumerate(epochs) if epochs[i + 1 : i + 2] != [epoch]]


def plan_snapshots(steps: Sequence[Step], settings: TrainingSettings) -> list[int]:
    """Return the positions of the steps after which snapshots are taken; none without averaging."""
    if not settings.averaging:
        return []
    total, every = len(steps), settings.averaging_steps
    ends = range(total - 1, -1, -every) if every else list_epoch_ends(steps)
    first = total - total * settings.averaging
    return sorted({total - 1, *(position for position in ends if position >= first)})


class TrajectoryMean:
    """The sum of each parameter over its snapshots.

    Args:
        positions: of the steps after which snapshots are taken.

    Attributes:
        count: snapshots so far.
    """

    def __init__(self, positions: Collection[int]) -> None:
        self._positions = frozenset(positions)
        self._sums: dict[nn.Parameter, Tensor] = {}
        self.count = 0

    def add(self, position: int, parameters: Iterable[nn.Parameter]) -> None:
        """Take a snapshot, if one is due after the step at `position`."""
        if position not in self._positions:
            return
        self.count += 1
        for parameter in parameters:
            value = parameter.detach()
            if parameter in self._sums:
                self._sums[parameter].add_(value)
            else:
                self._sums[parameter] = value.clone()

    def hand_over(self, pairs: Pairs) -> None:
        """Go on with the parameters of another model, each with the sum of the one before it."""
        held = self._sums
        self._sums = {new: held[old].clone() for new, old in pairs.items() if old in held}

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give every parameter its mean so far, until the context ends."""
        last = {parameter: parameter.detach().clone() for parameter in self._sums}
        self.settle()
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, value in last.items():
                    parameter.copy_(value)

    def settle(self) -> None:
        """Give every parameter its mean; without a snapshot, leave all as they are."""
        with torch.no_grad():
            for parameter, total in self._sums.items():
                parameter.copy_(total / self.count)

    def save(self, names: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
        """Return the sums by the parameters' names."""
        return {name: self._sums[p] for name, p in names.items() if p in self._sums}

    def load(
        self, sums: Mapping[str, Tensor], names: Mapping[str, nn.Parameter], position: int
    ) -> None:
        """Go on with sums that were saved before the step at `position`."""
        self.count = sum(each < position for each in self._positions)
        self._sums = {names[name]: total.to(names[name].device) for name, total in sums.items()}
