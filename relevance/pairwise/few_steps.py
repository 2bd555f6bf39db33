"""Tasks that are trained for few steps: the most frequent reason why a small task learns nothing.

240 rows in batches of 32 for 3 epochs, the defaults, are 24 steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from hmnet.jobs.prepared import PreparedStudy
from hmnet.study.settings import TrainingSettings

FEW_STEPS = 100
"""Steps of a task's own run below which longer training is advised."""


def count_own_steps(rows: int, training: TrainingSettings) -> int:
    """Return the steps of a task's own run.

    >>> count_own_steps(240, TrainingSettings())
    24
    """
    return -(-rows // training.batch_size) * training.epochs


def advise_epochs(rows: int, training: TrainingSettings) -> int:
    """Return the least epochs that give a task `FEW_STEPS` steps, or those that it has.

    >>> advise_epochs(240, TrainingSettings())
    13
    """
    return max(math.ceil(FEW_STEPS / -(-rows // training.batch_size)), training.epochs)


def describe_few_steps(prepared: PreparedStudy) -> Iterator[str]:
    """Yield how many steps the tasks with few of them get, and how they get more."""
    training = prepared.study.training
    rows: Mapping[str, int] = {name: len(data.train) for name, data in prepared.data.items()}
    few = {
        name: steps
        for name, count in rows.items()
        if (steps := count_own_steps(count, training)) < FEW_STEPS
    }
    if few:
        named = ", ".join(f"{name} {steps}" for name, steps in few.items())
        epochs = max(advise_epochs(rows[name], training) for name in few)
        yield (
            f"note: few training steps alone: {named}; a task may learn nothing in so few. "
            f"`--set training.epochs={epochs}` gives each {FEW_STEPS} or more"
        )
