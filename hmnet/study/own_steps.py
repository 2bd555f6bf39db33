"""The steps of a task's own run, and the epochs that give it enough of them (no torch).

240 rows in batches of 32 for 3 epochs, the defaults, are 24 steps.
"""

from __future__ import annotations

import math

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
