"""Averages over tasks that are to hold for tasks like these: tasks are resampled too.

Tasks are drawn with replacement, the same ones for the systems of a difference. What a task's mean
differs by from the others' has the noise of its seeds and examples in it already, so this interval
takes the place of that of noise alone; but it lacks what all tasks have in common, and with few
tasks it can come out too narrow by chance. So the wider of both is told.

Legend: B draws, T tasks.
"""

from __future__ import annotations

import numpy as np

from analysis.arrays import Floats
from analysis.gains.bootstrap import make_generator
from analysis.gains.paired import Estimate
from analysis.levels import DRAWS, take_interval


def resample_tasks(
    values: Floats, average: Estimate, draws: int = DRAWS, seed: int = 0
) -> tuple[float, float]:
    """Return the interval of an average over tasks like these.

    Args:
        values: each task's mean, shape [T].
        average: their mean, with its interval over seeds and examples.
        draws: B.
    """
    count = len(values)
    if count < 2:
        return average.low, average.high
    rng = make_generator(seed, "tasks", str(count))
    drawn = values[rng.integers(count, size=(draws, count))].mean(axis=1)
    wider = np.sqrt(count / (count - 1))  # the variance of T values is short of a T-th
    low, high = take_interval(average.value + wider * (drawn - average.value))
    return min(float(low), average.low), max(float(high), average.high)
