"""The sizes that a GPU's batches are filled up to, so that a training meets few of them.

A step whose sizes were met before can be replayed (`hmnet.training.step_graphs`) instead of
launching its thousand kernels one by one. All steps are planned beforehand, so their token
counts are known: each task's steps are cut by token count into a few equal parts, and every batch
of a part is filled up to the part's largest. A batch's numbers do not depend on how far it is
filled, up to the order of additions and the masks of dropout.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hmnet.data.tokens import SplitData
from hmnet.packing.batch_shape import BatchShape, round_up
from hmnet.training.steps import Step

STEPS_PER_SHAPE = 64
"""Steps that a shape should serve: taking the first and recording the second cost what ten replays
do, and a shape more saves a few hundredths of each."""
MOST_SHAPES = 8
"""Shapes of a task; with more, batches are filled up by less than 3 % on average."""


def plan_shapes(steps: Sequence[Step], splits: Mapping[str, SplitData]) -> list[BatchShape]:
    """Return the shape of each step's batch; few are distinct.

    Args:
        splits: task name to its training rows.
    """
    alike: dict[tuple[str, int], list[int]] = defaultdict(list)
    for position, step in enumerate(steps):
        alike[step.task, len(step.index)].append(position)
    lengths = {task: split.lengths for task, split in splits.items()}
    shapes: dict[int, BatchShape] = {}
    for (task, count), positions in alike.items():
        each = [lengths[task][steps[position].index] for position in positions]
        tokens = np.array([batch.sum() for batch in each])
        longest = np.array([batch.max() for batch in each])
        split = splits[task]
        words = np.array([_count_words(split, steps[position].index) for position in positions])
        for part in _cut(tokens):
            most = (int(each[part].max()) for each in (tokens, longest, words))
            shape = round_up(count, *most)
            shapes.update((positions[number], shape) for number in part)
    return [shapes[position] for position in range(len(steps))]


def _count_words(split: SplitData, index: npt.NDArray[np.int64]) -> int:
    return 0 if split.places is None else max(split.count_answers(index), 1)


def _cut(tokens: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Cut steps, the shortest rows first, into parts of equal size; return their numbers."""
    parts = min(max(len(tokens) // STEPS_PER_SHAPE, 1), MOST_SHAPES)
    return np.array_split(np.argsort(tokens, kind="stable"), parts)
