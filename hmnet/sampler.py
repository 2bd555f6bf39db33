"""Which batch comes when: Algorithm 1 (paper, section 3.4).

Each mini-batch holds examples of one task. In every epoch each task's examples are shuffled and
cut into batches, all tasks' batches are merged, and their order is shuffled anew.

A task's batches depend on (seed, task, epoch) alone, so single, pair and hierarchical runs with
the same seed see the same batches of a task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmnet.seeding import derive_seed

IndexArray = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Step:
    """One optimiser step.

    Attributes:
        task: the task whose path is updated.
        visit: how many steps the task had before; seeds the dropout masks.
        epoch: from 0.
        index: numbers of the training examples in the batch.
    """

    task: str
    visit: int
    epoch: int
    index: IndexArray


def count_steps(sizes: Mapping[str, int], epochs: int, batch_size: int) -> int:
    """Return the number of steps that `plan_steps` plans."""
    return epochs * sum(-(-size // batch_size) for size in sizes.values())


def plan_steps(sizes: Mapping[str, int], epochs: int, batch_size: int, seed: int) -> list[Step]:
    """Return every step of a run, in order.

    Args:
        sizes: task name to number of training examples; the order of its items never matters.
    """
    visits = dict.fromkeys(sizes, 0)
    steps = []
    for epoch in range(epochs):
        merged = [
            (task, index)
            for task in sorted(sizes)
            for index in cut_batches(task, sizes[task], batch_size, seed, epoch)
        ]
        order = np.random.default_rng(derive_seed(seed, "order", epoch)).permutation(len(merged))
        for task, index in (merged[i] for i in order):
            steps.append(Step(task, visits[task], epoch, index))
            visits[task] += 1
    return steps


def cut_batches(task: str, size: int, batch_size: int, seed: int, epoch: int) -> list[IndexArray]:
    """Shuffle a task's examples and cut them into batches; the last may be smaller."""
    generator = np.random.default_rng(derive_seed(seed, "batches", task, epoch))
    order = generator.permutation(size)
    return [order[start : start + batch_size] for start in range(0, size, batch_size)]
