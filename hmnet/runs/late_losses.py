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
    losses: dict[str, tuple[int, list[float]]] = {}
    try:
        for line in read_regular_text(path, MAX_LOSSES_BYTES).splitlines():
            step = json.loads(line)
            epoch, task, loss = int(step["epoch"]), str(step["task"]), float(step["loss"])
            if losses.get(task, (-1, []))[0] != epoch:
                losses[task] = epoch, []
            losses[task][1].append(loss)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, LimitError) as error:
        raise InputError(f"{path}: the file should hold a loss per line. Found: {error}.") from None
    return {task: _mean_late(values) for task, (_, values) in losses.items()}


def _mean_late(values: list[float]) -> float:
    count = min(len(values), max(FEW_STEPS, math.ceil(LATE_FRAC * len(values))))
    return sum(values[-count:]) / count
