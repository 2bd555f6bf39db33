"""Watching one training: its steps, the loss and the time left, from the first step on.

On a terminal one live line, elsewhere a line at the first step and then every quarter of a minute.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TextIO

from rich.console import Console
from rich.status import Status

from hmnet.jobs.progress_line import PLAIN_EVERY_S, format_seconds
from hmnet.runs.spec import RunSpec
from hmnet.training.steps import count_batches

_REFRESH_S = 0.25
_SMOOTH = 0.95
"""Share of the loss before in the one that is shown."""


class StepProgress:
    """Says how far a training is; a logger (`hmnet.runs.loggers`).

    Args:
        total: its steps.
        stream: where lines go, standard error unless said otherwise.
    """

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self.total = total
        self.console = Console(file=stream or sys.stderr, highlight=False)
        self.live: Status | None = None
        self.first: int | None = None
        self.loss = 0.0
        self.began = self.said = time.monotonic()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take the loss of a step, from 0; scores are left to others."""
        losses = [value for name, value in values.items() if name.startswith("loss/")]
        if losses:
            self._count(step, losses[0])

    def _count(self, step: int, loss: float) -> None:
        now = time.monotonic()
        is_first = self.first is None
        if self.first is None:
            self.first, self.loss, self.began = step, loss, now
        self.loss = _SMOOTH * self.loss + (1 - _SMOOTH) * loss
        every = _REFRESH_S if self.console.is_terminal else PLAIN_EVERY_S
        if is_first or now - self.said >= every or step + 1 == self.total:
            self.said = now
            self._say(self.line(step, now))

    def _say(self, line: str) -> None:
        if not self.console.is_terminal:
            self.console.print(line, markup=False)
            return
        if self.live is None:
            self.live = self.console.status("")
            self.live.start()
        self.live.update(line)

    def line(self, step: int, now: float) -> str:
        """Return how many steps are taken, the loss, and about how long the rest will take."""
        parts = [f"step {step + 1:,} of {self.total:,}", f"loss {self.loss:.3f}"]
        taken = step - (self.first or 0)
        if taken > 0 and step + 1 < self.total:
            left = (now - self.began) / taken * (self.total - step - 1)
            parts.append(f"about {format_seconds(left)} left")
        return ", ".join(parts)

    def close(self) -> None:
        """Remove the live line."""
        if self.live is not None:
            self.live.stop()
            self.live = None


def count_steps(spec: RunSpec, sizes: Mapping[str, int]) -> int:
    """Return the steps of a run.

    Args:
        sizes: task to its training rows.
    """
    own = {name: sizes[name] for name in spec.names}
    return spec.training.epochs * sum(count_batches(own, spec.training).values())
