"""Every clustering method on many matrices at once, for bootstrap draws and null matrices.

    labels = cluster_stack(draws, 3, "exact")        # [M, T]
    measure_objective(draws, labels, "exact")        # [M]

The methods are those of `relevance.groups.groupers.METHODS`; `exact-lower-bound` is `exact` on
draws from which the matrix's margins (value minus lower bound) have been taken.

Legend: M matrices, T tasks, K groups.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.arrays import Floats, Labels
from analysis.partitions.batched_kmeans import RowKMeans, measure_within
from analysis.partitions.exact import solve_sets, trace_partition, value_sets
from analysis.partitions.spectral import embed_spectrum

EXACT = ("exact", "exact-lower-bound")
SEARCHED_AT_ONCE = 32
MOST_SEARCH_STEPS = 2e9
"""Steps of the exact search that a stack may take: 300 to 1,000 matrices of 13 tasks."""


def cluster_stack(
    stack: Floats, k: int, method: str, seed: int = 0, start: Labels | None = None
) -> Labels:
    """Cluster the tasks of every matrix into k groups, [M, T].

    Args:
        stack: finite off the diagonal, [M, T, T].
        start: a partition that k-means starts from as well, [T].
    """
    return cluster_for_each(stack, [k], method, seed, start)[k]


def cluster_for_each(
    stack: Floats, ks: Sequence[int], method: str, seed: int = 0, start: Labels | None = None
) -> dict[int, Labels]:
    """Return `cluster_stack` for several k, of which one exact search gives all.

    Raises:
        ValueError: for an unknown method.
    """
    if method in EXACT:
        return _search(stack, ks)
    kmeans = RowKMeans(seed=seed)
    if method == "kmeans":
        return {k: kmeans(stack, k, start) for k in ks}
    if method == "spectral":
        return {k: kmeans(_embed(stack, k), k, start) for k in ks}
    raise ValueError(f"Parameter `method` should be a clustering method. Found `{method}`.")


def count_affordable(tasks: int, k: int, method: str, draws: int) -> int:
    """Return how many of some draws are clustered: all but for the exact search of many tasks."""
    if method not in EXACT:
        return draws
    return min(draws, max(50, int(MOST_SEARCH_STEPS // (3.0 ** (tasks - 1) * k))))


def _search(stack: Floats, ks: Sequence[int]) -> dict[int, Labels]:
    found = {k: np.zeros(stack.shape[:2], np.int64) for k in ks}
    for first in range(0, len(stack), SEARCHED_AT_ONCE):
        part = stack[first : first + SEARCHED_AT_ONCE]
        values = np.stack([value_sets(_blank(matrix)) for matrix in part], axis=1)
        best = solve_sets(values, max(ks))
        for k in ks:
            for i in range(len(part)):
                sets = trace_partition(values[:, i], best[:, :, i], k)
                found[k][first + i] = _to_labels(sets, stack.shape[1])
    return found


def _blank(matrix: Floats) -> Floats:
    return np.where(np.eye(len(matrix), dtype=bool), 0.0, matrix)


def _to_labels(sets: Sequence[int], size: int) -> list[int]:
    return [next(g for g, tasks in enumerate(sets) if tasks >> t & 1) for t in range(size)]


def _embed(stack: Floats, k: int) -> Floats:
    return np.stack([embed_spectrum(_blank(matrix), k) for matrix in stack])


def measure_objective(stack: Floats, labels: Labels, method: str) -> Floats:
    """Return how good partitions are by a method's own measure, larger is better, [M].

    k-means: the share of the rows' squared distances from their mean that lies between groups; the
    others: the within-group gain (`relevance.groups.partition`).
    """
    if method != "kmeans":
        return measure_gain(stack, labels)
    total = measure_within(stack, np.zeros_like(labels), 1)
    within = measure_within(stack, labels, int(labels.max()) + 1)
    return 1 - np.divide(within, total, out=np.ones_like(total), where=total > 0)


def measure_gain(stack: Floats, labels: Labels) -> Floats:
    """Return the within-group gain of a partition in every matrix, [M].

    Args:
        labels: [M, T], or [T] for one partition.
    """
    size = stack.shape[-1]
    same = labels[..., :, None] == labels[..., None, :]
    inside = np.where(same & ~np.eye(size, dtype=bool), stack, 0.0).sum(axis=-2)
    partners = same.sum(axis=-2) - 1
    return (inside / np.maximum(partners, 1)).sum(axis=-1)
