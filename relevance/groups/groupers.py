"""Groupers of tasks, in scikit-learn's manner: parameters in the constructor, then `fit`.

>>> from relevance.matrices.reference import load_reference
>>> grouper = KMeansGrouper(k=3).fit(load_reference("paper:table3"))
>>> len(grouper.groups_.groups), grouper.labels_.shape
(3, (13,))
>>> grouper.get_params()
{'k': 3, 'n_init': 200, 'seed': 0}

The paper's method is k-means with a task's scores towards all targets, its row, as features. One
random initialisation often ends in a worse partition than the best, so that many are tried, and
how many of them agree with the best is part of the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin

from analysis.arrays import Labels
from analysis.partitions.agreement import to_labels
from analysis.partitions.kmeans import INITIALISATIONS, KMeansRuns, run_kmeans
from analysis.partitions.spectral import embed_spectrum
from hmnet.errors import InputError, suggest
from hmnet.study.hierarchy import Groups, name_groups
from relevance.groups.partition import (
    MAX_TASKS,
    check_k,
    find_best_partition,
    read_values,
    within_group_gain,
)
from relevance.matrices.gain_table import declares_gains
from relevance.matrices.matrix import RelevanceMatrix


class Grouper(ClusterMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What groups the tasks of a matrix: by itself as the paper does, by k-means.

    Args:
        k: number of groups.

    Attributes:
        groups_: after `fit`, the groups, named "1", "2", ... by size, then by their alphabetically
            first task; their `origin` holds the method and its settings, the matrix's measure and
            identity, and what the method says of itself.
        labels_: after `fit`, the place of each task's group in `groups_`, [T].
    """

    method: ClassVar[str] = "kmeans"
    groups_: Groups
    labels_: Labels

    def __init__(self, k: int = 3) -> None:
        self.k = k

    def fit(self, matrix: RelevanceMatrix, y: None = None) -> Self:
        """Group the tasks of a matrix; sources are rows.

        Args:
            y: not used; scikit-learn's convention.

        Raises:
            InputError: for a k outside 1 to T, missing values (with the cells' names), or fewer
                than k tasks that the rows tell apart.
        """
        check_k(self.k, len(matrix.tasks))
        self.groups_ = self._group(matrix)
        self.labels_ = to_labels(self.groups_, matrix.tasks)
        return self

    def _group(self, matrix: RelevanceMatrix) -> Groups:
        """Return the groups with their origin; each method has its own."""
        return KMeansGrouper(self.k).fit(matrix).groups_

    def _describe(self, matrix: RelevanceMatrix) -> dict[str, object]:
        """Return the part of the origin that all methods share."""
        measured = {"measure": matrix.measure, "matrix": matrix.identity}
        return {"method": self.method, "k": self.k, **measured}


class _RepeatedGrouper(Grouper):
    """A grouper that ends differently from different initialisations."""

    def __init__(self, k: int = 3, *, seed: int = 0, n_init: int = INITIALISATIONS) -> None:
        super().__init__(k)
        self.seed = seed
        self.n_init = n_init

    def fit(self, matrix: RelevanceMatrix, y: None = None) -> Self:
        """Group the tasks of a matrix; see `Grouper.fit`."""
        check_k(self.k, len(matrix.tasks))
        if self.n_init < 1:
            raise InputError(f"Parameter `n_init` should be at least 1. Found `{self.n_init}`.")
        return super().fit(matrix)

    def _describe(self, matrix: RelevanceMatrix) -> dict[str, object]:
        return {**super()._describe(matrix), "seed": self.seed, "n_init": self.n_init}


class KMeansGrouper(_RepeatedGrouper):
    """k-means on the raw rows, as in the paper.

    The origin also has `inertia`, `stability` (see `KMeansRuns`) and, for gains of at most
    `MAX_TASKS` tasks, `within_group_gain` with `kmeans_loss`, the optimum minus it.

    Args:
        k: number of groups.
        seed: seed of the initialisations.
        n_init: initialisations.
    """

    method = "kmeans"

    def _group(self, matrix: RelevanceMatrix) -> Groups:
        runs = run_kmeans(read_values(matrix, diagonal=True), self.k, self.n_init, self.seed)
        partition = _take_best(runs, matrix, self.k)
        origin = {
            **self._describe(matrix),
            "inertia": float(runs.inertia[runs.best]),
            "stability": runs.stability,
        }
        return Groups(partition, {**origin, **_compare_with_optimum(matrix, partition)})


class SpectralGrouper(_RepeatedGrouper):
    """Spectral clustering of the symmetrised matrix (Ng, Jordan and Weiss 2002).

    Args:
        k: number of groups.
        seed: seed of the initialisations.
        n_init: initialisations of its k-means.
    """

    method = "spectral"

    def _group(self, matrix: RelevanceMatrix) -> Groups:
        embedded = embed_spectrum(read_values(matrix, diagonal=False), self.k)
        runs = run_kmeans(embedded, self.k, self.n_init, self.seed)
        return Groups(_take_best(runs, matrix, self.k), self._describe(matrix))


class ExactGrouper(Grouper):
    """The highest within-group gain of all partitions (`relevance.groups.partition`).

    The origin also has `within_group_gain`.

    Args:
        k: number of groups.
    """

    method = "exact"

    def _group(self, matrix: RelevanceMatrix) -> Groups:
        groups, gain = find_best_partition(matrix, self.k)
        return Groups(groups.groups, {**self._describe(matrix), "within_group_gain": gain})


class LowerBoundGrouper(ExactGrouper):
    """The same with the lower ends of the gains' intervals in place of the gains.

    The origin also has `within_group_lower_bound` and, if it is known, `within_group_gain`.
    """

    method = "exact-lower-bound"

    def _group(self, matrix: RelevanceMatrix) -> Groups:
        if matrix.table["ci_low"].isna().all():
            raise InputError(
                "Method `exact-lower-bound` should have a matrix with confidence intervals. "
                "Found none in column `ci_low`."
            )
        groups, bound = find_best_partition(matrix, self.k, "ci_low")
        origin = {**self._describe(matrix), "within_group_lower_bound": bound}
        if not np.isnan(gain := within_group_gain(matrix, groups)):
            origin["within_group_gain"] = gain
        return Groups(groups.groups, origin)


METHODS: Mapping[str, type[Grouper]] = {
    grouper.method: grouper
    for grouper in (KMeansGrouper, SpectralGrouper, ExactGrouper, LowerBoundGrouper)
}
"""Method name, as of `--method`, to its grouper."""


def make_grouper(method: str, k: int, seed: int = 0, n_init: int = INITIALISATIONS) -> Grouper:
    """Return the grouper of a name in `METHODS`; what it does not need is left out.

    Raises:
        InputError: for an unknown method, with the closest known ones.
    """
    if method not in METHODS:
        raise InputError(
            f"Parameter `method` should be a clustering method. Found `{method}`."
            f"{suggest(method, METHODS)}"
        )
    kind = METHODS[method]
    if issubclass(kind, _RepeatedGrouper):
        return kind(k, seed=seed, n_init=n_init)
    return kind(k)


def _take_best(runs: KMeansRuns, matrix: RelevanceMatrix, k: int) -> dict[str, tuple[str, ...]]:
    """Return the partition of the run with the least inertia, its groups named."""
    if np.isinf(runs.inertia[runs.best]):
        raise InputError(
            f"Parameter `k` should be at most the number of tasks that the matrix tells apart. "
            f"Found `{k}`, and fewer different rows."
        )
    labels = runs.labels[runs.best]
    return name_groups(
        [matrix.tasks[i] for i in np.flatnonzero(labels == label)] for label in np.unique(labels)
    )


def _compare_with_optimum(
    matrix: RelevanceMatrix, partition: Mapping[str, tuple[str, ...]]
) -> dict[str, float]:
    if not declares_gains(matrix) or len(matrix.tasks) > MAX_TASKS:
        return {}
    gain = within_group_gain(matrix, Groups(dict(partition)))
    _, optimum = find_best_partition(matrix, len(partition))
    return {"within_group_gain": gain, "kmeans_loss": max(optimum - gain, 0.0)}
