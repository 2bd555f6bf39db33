"""How far two partitions of the same tasks agree.

Legend: M partitions, T tasks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.arrays import Floats, Labels
from hmnet.study.hierarchy import Groups


def compare_groups(one: Groups, other: Groups) -> float:
    """Return the adjusted Rand index (Hubert and Arabie 1985): 1 for equal groups, 0 as by chance.

    Raises:
        InputError: if the groups do not hold the same tasks.
    """
    other.check_tasks(one.tasks)
    tasks = tuple(sorted(one.tasks))
    return float(compare_labels(to_labels(one, tasks)[None], to_labels(other, tasks))[0])


def to_labels(groups: Groups, tasks: tuple[str, ...]) -> Labels:
    """Return the number of each task's group, in the order of the groups, [T].

    Raises:
        InputError: if the groups do not hold exactly these tasks.
    """
    groups.check_tasks(tasks)
    names = list(groups.groups)
    return np.array([names.index(groups.group_of(task)) for task in tasks], dtype=np.int64)


def compare_labels(labels: Labels, reference: Labels) -> Floats:
    """Return the adjusted Rand index of many partitions with one, [M].

    Args:
        labels: shape [M, T].
        reference: shape [T], or [M, T] for a reference of each.
    """
    found = pair_up(labels).astype(np.float64)
    wanted = pair_up(np.broadcast_to(reference, labels.shape)).astype(np.float64)
    both = (found * wanted).sum(axis=1)
    return adjust_rand(both, found.sum(axis=1), wanted.sum(axis=1), found.shape[1])


def compare_mutually(labels: Labels) -> Floats:
    """Return the adjusted Rand index of every two of many partitions [M, T], shape [M, M]."""
    found = pair_up(labels).astype(np.float64)
    each = found.sum(axis=1)
    return adjust_rand(found @ found.T, each[:, None], each, found.shape[1])


def pair_up(labels: Labels) -> npt.NDArray[np.bool_]:
    """Return which pairs of tasks each partition [M, T] puts together, [M, T (T - 1) / 2]."""
    one, other = np.triu_indices(labels.shape[1], k=1)
    together: npt.NDArray[np.bool_] = labels[:, one] == labels[:, other]
    return together


def adjust_rand(both: Floats, one: Floats, other: Floats, pairs: int) -> Floats:
    """Return the adjusted Rand index (Hubert and Arabie 1985) from counts of pairs of tasks.

    Args:
        both: pairs that both partitions put together.
        one, other: pairs that each of them does; of shapes that broadcast.
        pairs: all pairs.
    """
    expected = one * other / max(pairs, 1)
    highest = (one + other) / 2
    # the index has no value for two equal partitions without any, or with every pair together
    return np.divide(
        both - expected, highest - expected, out=np.ones_like(both), where=highest > expected
    )


def count_together(labels: Labels) -> Floats:
    """Return the share of partitions in which two tasks are together, [T, T]."""
    return (labels[:, :, None] == labels[:, None, :]).mean(axis=0)


def compare_members(labels: Labels, reference: Labels) -> Floats:
    """Return for each task how alike its groups are, the mean Jaccard index, [T].

    Of the tasks that share its group in a partition or in the reference, the share that do in
    both; the mean over partitions. A task that is alone in both has 1.

    Args:
        labels: shape [M, T].
        reference: shape [T].
    """
    together = labels[:, :, None] == labels[:, None, :]
    wanted = reference[:, None] == reference
    both, either = (together & wanted).sum(axis=2), (together | wanted).sum(axis=2)
    return (both / either).mean(axis=0)
