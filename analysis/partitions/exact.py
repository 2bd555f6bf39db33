"""The best disjoint groups of at most 16 tasks under within-group gain, exactly, as bit masks.

The within-group gain of a group G is what each of its tasks gains from the others on average:

    v(G) = sum over i in G of mean over j in G, j != i, of G_ji       (0 for a single task)

and a partition's is the sum over its groups. The best partition of a set S into k groups follows
from those of its subsets, F_k(S) = max over G of v(G) + F_{k-1}(S - G), where G holds the last
task of S; sets are bit masks, and all k are solved side by side.

Legend: T tasks.
"""

from __future__ import annotations

import functools
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from analysis.arrays import Floats

Integers = npt.NDArray[np.int64]
Number = TypeVar("Number", np.float64, np.int64)


def value_sets(gains: Floats) -> Floats:
    """Return v of every set of tasks, shape [2^T]; bit i of the index stands for task i.

    Args:
        gains: shape [T, T], the diagonal 0.
    """
    size = len(gains)
    between = gains + gains.T
    total = np.zeros(1 << size)
    for task in range(size):
        half = 1 << task
        total[half : 2 * half] = total[:half] + _sum_subsets(between[task, :task])
    members = np.bitwise_count(np.arange(1 << size))
    return total / np.maximum(members.astype(np.int64) - 1, 1)


def solve_sets(values: Floats, k: int) -> Floats:
    """Return F, the best total of any set of tasks in 0 to k groups, shape [2^T, k + 1].

    Only the sets without the last task, and the set of all, are solved: no others are needed.

    Args:
        values: shape [2^T], or [2^T, M] for M matrices at once, which adds an axis to the result.
    """
    everything = len(values) - 1
    best = np.full((len(values), k + 1, *values.shape[1:]), -np.inf)
    best[0, 0] = 0.0
    for tasks in (*range(1, (everything + 1) // 2), everything):
        rest = _list_subsets(tasks ^ _last(tasks))
        best[tasks, 1:] = (values[tasks ^ rest][:, None] + best[rest, :-1]).max(axis=0)
    return best


def trace_partition(values: Floats, best: Floats, k: int) -> list[int]:
    """Return the k sets, as bit masks, of the partition behind `solve_sets`' value for all."""
    tasks, found = len(values) - 1, []
    for count in range(k, 0, -1):
        rest = _list_subsets(tasks ^ _last(tasks))
        left = int(rest[np.argmax(values[tasks ^ rest] + best[rest, count - 1])])
        found.append(tasks ^ left)
        tasks = left
    return found


def _last(tasks: int) -> int:
    return 1 << (tasks.bit_length() - 1)


def _list_subsets(tasks: int) -> Integers:
    """Return all subsets of a set as bit masks, the empty one first, in their order."""
    first = tasks & 0xFF  # the first eight tasks, whose sets come again and again, as the others'
    return (_list_subsets_once(tasks ^ first)[:, None] + _list_subsets_once(first)).ravel()


@functools.lru_cache(maxsize=512)
def _list_subsets_once(tasks: int) -> Integers:
    bits = [1 << i for i in range(tasks.bit_length()) if tasks >> i & 1]
    return _sum_subsets(np.array(bits, dtype=np.int64))


def _sum_subsets(weights: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Return the sum of every subset of n weights, shape [2^n], in the order of bit masks."""
    sums = np.zeros(1, dtype=weights.dtype)
    for weight in weights:
        sums = np.concatenate([sums, sums + weight])
    return sums
