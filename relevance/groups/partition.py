"""The groups of a matrix with the highest within-group gain (`analysis.partitions.exact`).

k-means on rows groups tasks with similar profiles; this groups tasks that help each other.

Legend: T tasks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.arrays import Floats
from analysis.partitions.exact import solve_sets, trace_partition, value_sets
from hmnet.errors import InputError
from hmnet.study.hierarchy import Groups, name_groups
from relevance.matrices.matrix import RelevanceMatrix

MAX_TASKS = 16
"""Most tasks of the exact search; each further task makes it three times as long."""

_SHOWN_CELLS = 6


def find_best_partition(
    matrix: RelevanceMatrix, k: int, column: str = "value"
) -> tuple[Groups, float]:
    """Return the k groups with the highest within-group gain, and that gain.

    Args:
        matrix: gains, at most `MAX_TASKS` tasks.
        k: number of groups, none of them empty.
        column: `value`, or `ci_low` for a partition whose gain is safe.

    Raises:
        InputError: for a k outside 1 to T, too many tasks, or missing off-diagonal values.
    """
    check_k(k, len(matrix.tasks))
    return _search(matrix, k, column)


def within_group_gain(matrix: RelevanceMatrix, groups: Groups, column: str = "value") -> float:
    """Return the sum over groups of v(G): what the tasks gain from their groups, added up.

    Raises:
        InputError: if the groups do not hold exactly the matrix's tasks.
    """
    groups.check_tasks(matrix.tasks)
    wide = matrix.to_frame(column)
    total = 0.0
    for tasks in groups.groups.values():
        if len(tasks) > 1:
            inside = wide.loc[list(tasks), list(tasks)].to_numpy()
            total += float(inside.sum() - np.trace(inside)) / (len(tasks) - 1)
    return total


def check_k(k: object, size: int) -> None:
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


def _search(matrix: RelevanceMatrix, k: int, column: str) -> tuple[Groups, float]:
    size = len(matrix.tasks)
    if size > MAX_TASKS:
        raise InputError(
            f"The exact search should have at most {MAX_TASKS} tasks. Found {size}. "
            f"Use `kmeans` or `spectral`, or select fewer tasks."
        )
    gains = read_values(matrix, column, diagonal=False)
    values = value_sets(gains)
    best = solve_sets(values, k)
    groups = _to_groups(trace_partition(values, best, k), matrix, column, k)
    return groups, float(best[-1, k])


def _to_groups(sets: list[int], matrix: RelevanceMatrix, column: str, k: int) -> Groups:
    partition = [[t for i, t in enumerate(matrix.tasks) if tasks >> i & 1] for tasks in sets]
    origin = {
        "method": "exact" if column == "value" else f"exact on {column}",
        "k": k,
        "measure": matrix.measure,
        "matrix": matrix.identity,
    }
    return Groups(name_groups(partition), origin)
