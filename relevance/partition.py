"""The best disjoint groups of at most 16 tasks under within-group gain, exactly.

k-means on rows groups tasks with similar profiles; this groups tasks that help each other. The
within-group gain of a group G is what each of its tasks gains from the others on average:

    v(G) = sum over i in G of mean over j in G, j != i, of G_ji       (0 for a single task)

and a partition's is the sum over its groups. The best partition of a set S into k groups follows
from those of its subsets, F_k(S) = max over G of v(G) + F_{k-1}(S - G), where G holds the last
task of S; sets are bit masks, and all k are solved side by side.

Legend: T tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hmnet.errors import InputError
from hmnet.hierarchy import Groups
from relevance.matrix import RelevanceMatrix

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MAX_TASKS = 16
"""Most tasks of the exact search; each further task makes it three times as long."""

_SHOWN_CELLS = 6


def best_partition(matrix: RelevanceMatrix, k: int, column: str = "value") -> tuple[Groups, float]:
    """Return the k groups with the highest within-group gain, and that gain.

    Args:
        matrix: gains, at most `MAX_TASKS` tasks.
        k: number of groups, none of them empty.
        column: `value`, or `ci_low` for a partition whose gain is safe.

    Raises:
        InputError: for a k outside 1 to T, too many tasks, or missing off-diagonal values.
    """
    check_k(k, len(matrix.tasks))
    return _solve(matrix, k, column)[k]


def best_partitions(
    matrix: RelevanceMatrix, column: str = "value"
) -> dict[int, tuple[Groups, float]]:
    """Return `best_partition` for every k from 1 to T, in one search."""
    return _solve(matrix, len(matrix.tasks), column)


def within_group_gain(matrix: RelevanceMatrix, groups: Groups, column: str = "value") -> float:
    """Return the sum over groups of v(G): what the tasks gain from their groups, added up.

    Raises:
        InputError: if the groups do not hold exactly the matrix' tasks.
    """
    groups.check_tasks(matrix.tasks)
    wide = matrix.to_frame(column)
    total = 0.0
    for tasks in groups.groups.values():
        if len(tasks) > 1:
            inside = wide.loc[list(tasks), list(tasks)].to_numpy()
            total += float(inside.sum() - np.trace(inside)) / (len(tasks) - 1)
    return total


def name_groups(partition: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Name groups "1", "2", ...: larger ones first, then by their alphabetically first task."""
    ordered = sorted(partition, key=lambda tasks: (-len(tasks), min(tasks)))
    return {str(number): tuple(tasks) for number, tasks in enumerate(ordered, start=1)}


def check_k(k: Any, size: int) -> None:
    """Raise an `InputError` unless k is a whole number from 1 to the number of tasks."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= size:
        raise InputError(
            f"Parameter `k` should be a whole number from 1 to {size}, the number of tasks. "
            f"Found `{k}`."
        )


def read_values(matrix: RelevanceMatrix, column: str = "value", *, diagonal: bool) -> Floats:
    """Return one column of a matrix as an array, shape [T, T], none of it missing.

    Args:
        diagonal: whether the diagonal counts; where it does not, it is set to 0.

    Raises:
        InputError: for missing or infinite values, with the cells' names.
    """
    values = matrix.to_frame(column).to_numpy(dtype=np.float64, copy=True)
    if not diagonal:
        np.fill_diagonal(values, 0.0)
    if not np.isfinite(values).all():
        raise InputError(_describe_missing(matrix, column, ~np.isfinite(values)))
    return values


def _describe_missing(
    matrix: RelevanceMatrix, column: str, is_missing: npt.NDArray[np.bool_]
) -> str:
    """Name the cells without a value, and the targets that are best left out."""
    tasks = matrix.tasks
    cells = [f"{tasks[s]} -> {tasks[t]}" for s, t in np.argwhere(is_missing).tolist()]
    more = f" and {len(cells) - _SHOWN_CELLS} more" if len(cells) > _SHOWN_CELLS else ""
    text = (
        f"Column `{column}` should have a finite value in each cell. "
        f"Missing: {', '.join(cells[:_SHOWN_CELLS])}{more}."
    )
    empty = np.flatnonzero((is_missing | np.eye(len(tasks), dtype=bool)).all(axis=0))
    if matrix.measure != "pairwise" or not 0 < len(empty) < len(tasks):
        return text
    return (
        f"{text} No gain is defined on {', '.join(tasks[t] for t in empty)} (single runs failed "
        "or score 0): `relevance pairwise --tasks` with the others uses their runs as they are."
    )


def _solve(matrix: RelevanceMatrix, k: int, column: str) -> dict[int, tuple[Groups, float]]:
    size = len(matrix.tasks)
    if size > MAX_TASKS:
        raise InputError(
            f"The exact search should have at most {MAX_TASKS} tasks. Found {size}. "
            f"Use `kmeans` or `spectral`, or select fewer tasks."
        )
    gains = read_values(matrix, column, diagonal=False)
    values = value_sets(gains)
    best = solve_sets(values, k)
    everything = len(values) - 1
    return {
        count: (
            _to_groups(trace_partition(values, best, count), matrix, column, count),
            float(best[everything, count]),
        )
        for count in range(1, k + 1)
    }


def _to_groups(sets: list[int], matrix: RelevanceMatrix, column: str, k: int) -> Groups:
    partition = [[t for i, t in enumerate(matrix.tasks) if tasks >> i & 1] for tasks in sets]
    origin = {
        "method": "exact" if column == "value" else f"exact on {column}",
        "k": k,
        "measure": matrix.measure,
        "matrix": matrix.identity,
    }
    return Groups(name_groups(partition), origin)


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
    """Return all subsets of a set as bit masks, the empty one first."""
    bits = [1 << i for i in range(tasks.bit_length()) if tasks >> i & 1]
    return _sum_subsets(np.array(bits, dtype=np.int64))


def _sum_subsets(weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the sum of every subset of n weights, shape [2^n], in the order of bit masks."""
    sums = np.zeros(1, dtype=weights.dtype)
    for weight in weights:
        sums = np.concatenate([sums, sums + weight])
    return sums
