"""How low a training's loss was in the end: the mean of its last steps, task by task."""

from __future__ import annotations

import json
import math
from pathlib import Path

from hmnet.errors import InputError
from hmnet.storage.limits import MAX_LOSSES_BYTES, LimitError
from hmnet.storage.regular_files import read_regular_text

LATE_FRAC = 0.25
"""Share of the last epoch's steps of a task that are its last steps."""
FEW_STEPS = 10
"""At least so many steps, where the epoch has them: a loss of few batches is noise."""


def read_late_losses(path: Path) -> dict[str, float]:
    """Return task to the mean loss of its last steps, from a run's `metrics.jsonl`.

    Raises:
        InputError: if the file holds something else.
    """
    last: dict[str, int] = {}
    losses: dict[str, list[float]] = {}
    for epoch, task, loss in _read_steps(path):
        if last.get(task) != epoch:
            last[task], losses[task] = epoch, []
        losses[task].append(loss)
    return {task: _mean_late(values) for task, values in losses.items()}


def read_task_curve(path: Path, task: str) -> list[float]:
    """Return a task's training losses in the order of its steps, from a run's `metrics.jsonl`.

    Raises:
        InputError: if the file holds something else.
    """
    return [loss for _, name, loss in _read_steps(path) if name == task]


def _read_steps(path: Path) -> list[tuple[int, str, float]]:
    """Return epoch, task and loss of every line."""
    try:
        lines = read_regular_text(path, MAX_LOSSES_BYTES).splitlines()
        steps = [json.loads(line) for line in lines]
        return [(int(step["epoch"]), str(step["task"]), float(step["loss"])) for step in steps]
    except (OSError, ValueError, KeyError, TypeError, RecursionError, LimitError) as error:
        raise InputError(f"{path}: the file should hold a loss per line. Found: {error}.") from None


def _mean_late(values: list[float]) -> float:
    count = min(len(values), max(FEW_STEPS, math.ceil(LATE_FRAC * len(values))))
    return sum(values[-count:]) / count
