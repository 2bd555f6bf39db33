"""Which batch comes when: Algorithm 1 (paper, section 3.4).

Each mini-batch holds examples of one task. In every epoch each task's examples are shuffled and
cut into batches, all tasks' batches are merged, and their order is shuffled anew.

A task's batches depend on (seed, task, epoch) alone, so single, pair and hierarchical runs with
the same seed see the same batches of a task.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hmnet.seeding import derive_seed
from hmnet.study.settings import TrainingSettings

IndexArray = npt.NDArray[np.int64]


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


def count_batches(sizes: Mapping[str, int], settings: TrainingSettings) -> dict[str, int]:
    """Return the batches of each task in an epoch, by `settings.sampling`; at least one each.

    Args:
        sizes: task name to number of training examples, each positive.
    """
    whole = {task: -(-size // settings.batch_size) for task, size in sizes.items()}
    if settings.sampling == "temperature":
        return _share_by_temperature(whole, settings.temperature or 1.0)
    if settings.sampling == "capped":
        most = -(-(settings.cap or 1) // settings.batch_size)
        return {task: min(count, most) for task, count in whole.items()}
    return whole


def _share_by_temperature(whole: Mapping[str, int], temperature: float) -> dict[str, int]:
    """Share out as many batches in proportion to counts ** (1 / temperature)."""
    powers = {task: count ** (1 / temperature) for task, count in whole.items()}
    scale = sum(whole.values()) / sum(powers.values())
    return {task: max(1, round(power * scale)) for task, power in powers.items()}


def plan_steps(
    sizes: Mapping[str, int],
    epochs: int,
    batch_size: int,
    seed: int,
    counts: Mapping[str, int] | None = None,
) -> list[Step]:
    """Return every step of a run, in order.

    Args:
        sizes: task name to number of training examples; the order of its items never matters.
        counts: task name to its batches in an epoch; None for all of them. With fewer, the next
            epoch goes on with the task's other examples; with more, its examples come again.
    """
    visits = dict.fromkeys(sizes, 0)
    streams = {task: _stream_batches(task, size, batch_size, seed) for task, size in sizes.items()}
    whole = {task: -(-size // batch_size) for task, size in sizes.items()}
    steps = []
    for epoch in range(epochs):
        merged = [
            (task, index)
            for task in sorted(sizes)
            for index in itertools.islice(streams[task], (counts or whole)[task])
        ]
        order = np.random.default_rng(derive_seed(seed, "order", epoch)).permutation(len(merged))
        for task, index in (merged[i] for i in order):
            steps.append(Step(task, visits[task], epoch, index))
            visits[task] += 1
    return steps


def _stream_batches(task: str, size: int, batch_size: int, seed: int) -> Iterator[IndexArray]:
    """Yield a task's batches, one pass over its examples after another."""
    for turn in itertools.count():
        yield from cut_batches(task, size, batch_size, seed, turn)


def cut_batches(task: str, size: int, batch_size: int, seed: int, epoch: int) -> list[IndexArray]:
    """Shuffle a task's examples and cut them into batches; the last may be smaller."""
    generator = np.random.default_rng(derive_seed(seed, "batches", task, epoch))
    order = generator.permutation(size)
    return [order[start : start + batch_size] for start in range(0, size, batch_size)]
