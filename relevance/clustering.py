"""From a relevance matrix to groups of tasks (paper, section 3.3, "Clustering process").

The paper's method is k-means with a task's scores towards all targets, its row, as features. One
random initialisation often ends in a worse partition than the best, so that many are tried, and
how many of them agree with the best is part of the result.

    groups = cluster(load_reference("paper:table3"), k=3)
    groups.origin["stability"]       # {"share": ..., "mean_ari": ...}
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import silhouette_samples
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # no stubs

from hmnet.errors import InputError, suggest
from hmnet.hierarchy import Groups
from relevance.matrix import RelevanceMatrix
from relevance.partition import (
    MAX_TASKS,
    best_partition,
    check_k,
    name_groups,
    read_values,
    within_group_gain,
)

Floats: TypeAlias = npt.NDArray[np.float64]
Labels: TypeAlias = npt.NDArray[np.int64]

INITIALISATIONS = 200


@dataclass(frozen=True)
class KMeansRuns:
    """k-means from many single initialisations. Legend: R runs, T tasks.

    Attributes:
        labels: the cluster of each task in each run, [R, T].
        inertia: sum of squared distances to the clusters' means, [R]; infinite for a run that
            ended with fewer than k clusters.
    """

    labels: Labels
    inertia: Floats

    @property
    def best(self) -> int:
        """The run with the least inertia."""
        return int(self.inertia.argmin())

    @property
    def stability(self) -> dict[str, float]:
        """How well single runs agree.

        `share`: share of the runs that end in the best one's partition. `mean_ari`: mean
        adjusted Rand index between two different runs (1.0 for a single run).
        """
        together = _pair_up(self.labels)
        share = (together == together[self.best]).all(axis=1).mean()
        return {"share": float(share), "mean_ari": _mean_adjusted_rand(together)}


def cluster(
    matrix: RelevanceMatrix,
    k: int,
    method: str = "kmeans",
    seed: int = 0,
    n_init: int = INITIALISATIONS,
) -> Groups:
    """Group the tasks of a matrix.

    Args:
        matrix: any measure's; sources are rows.
        k: number of groups.
        method: `kmeans`, on the raw rows as in the paper; `spectral`, on the symmetrised matrix
            (Ng, Jordan and Weiss 2002); `exact`, the highest within-group gain of all partitions
            (`relevance.partition`); `exact-lower-bound`, the same with `ci_low` for the gains.
        seed: seed of the initialisations.
        n_init: initialisations of k-means.

    Returns:
        Groups named "1", "2", ... by size, then by their alphabetically first task. `origin`
        holds the method and its settings, the matrix' measure and identity, and
        for `kmeans`: `inertia`, `stability` (see `KMeansRuns`) and, for gains of at most
        `MAX_TASKS` tasks, `within_group_gain` with `kmeans_loss`, the optimum minus it;
        for the exact methods: `within_group_gain`.

    Raises:
        InputError: for an unknown method, a k outside 1 to T, missing values (with the cells'
            names), or fewer than k tasks that the rows tell apart.
    """
    if method not in METHODS:
        raise InputError(
            f"Parameter `method` should be a clustering method. Found `{method}`."
            f"{suggest(method, METHODS)}"
        )
    check_k(k, len(matrix.tasks))
    if n_init < 1:
        raise InputError(f"Parameter `n_init` should be at least 1. Found `{n_init}`.")
    return METHODS[method](matrix, k, seed, n_init)


def to_table(groups: Groups, matrix: RelevanceMatrix) -> pd.DataFrame:
    """Return a row per task of the matrix: how it lies in its group.

    Columns: `task`; `group`; `silhouette` of the task's row, -1 to 1 (0 in a group of its own);
    `from_group` and `from_others`, the mean relevance to it of the other tasks of its group and of
    the tasks of other groups. Values that do not exist are NaN.
    """
    groups.check_tasks(matrix.tasks)
    names = np.array([groups.group_of(task) for task in matrix.tasks], dtype=object)
    values = matrix.to_frame().to_numpy(dtype=np.float64)
    same = names[:, None] == names[None, :]
    alone = np.eye(len(names), dtype=bool)
    return pd.DataFrame(
        {
            "task": matrix.tasks,
            "group": names.astype(str),
            "silhouette": _measure_silhouettes(values, names),
            "from_group": _average_columns(values, same & ~alone),
            "from_others": _average_columns(values, ~same),
        }
    )


def run_kmeans(
    rows: npt.ArrayLike, k: int, n_init: int = INITIALISATIONS, seed: int = 0
) -> KMeansRuns:
    """Run k-means from `n_init` single initialisations (k-means++).

    Args:
        rows: features of each task, shape [T, any], finite.
        k: number of clusters, at most T.
    """
    features = np.asarray(rows, dtype=np.float64)
    states = np.random.SeedSequence(seed).generate_state(n_init)
    # a handful of rows is not worth threads, which would only wait for each other
    with threadpool_limits(1), warnings.catch_warnings():
        # equal rows give fewer clusters than k, which the inertia says here
        warnings.simplefilter("ignore", ConvergenceWarning)
        fits = [
            KMeans(k, n_init=1, tol=0.0, random_state=int(state)).fit(features) for state in states
        ]
    labels = np.array([fit.labels_ for fit in fits], dtype=np.int64)
    is_full = np.array([len(set(row)) == k for row in labels.tolist()])
    inertia = np.array([fit.inertia_ for fit in fits])
    return KMeansRuns(labels, np.where(is_full, inertia, np.inf))


def _cluster_rows(matrix: RelevanceMatrix, k: int, seed: int, n_init: int) -> Groups:
    runs = run_kmeans(read_values(matrix, diagonal=True), k, n_init, seed)
    groups = _to_groups(runs, matrix, k)
    origin = {
        **_describe("kmeans", matrix, k, seed),
        "n_init": n_init,
        "inertia": float(runs.inertia[runs.best]),
        "stability": runs.stability,
    }
    return Groups(groups.groups, {**origin, **_compare_with_optimum(matrix, groups, k)})


def _compare_with_optimum(matrix: RelevanceMatrix, groups: Groups, k: int) -> dict[str, float]:
    if matrix.measure != "pairwise" or len(matrix.tasks) > MAX_TASKS:
        return {}
    gain = within_group_gain(matrix, groups)
    _, optimum = best_partition(matrix, k)
    return {"within_group_gain": gain, "kmeans_loss": max(optimum - gain, 0.0)}


def _cluster_spectrum(matrix: RelevanceMatrix, k: int, seed: int, n_init: int) -> Groups:
    embedded = embed_spectrum(read_values(matrix, diagonal=False), k)
    runs = run_kmeans(embedded, k, n_init, seed)
    groups = _to_groups(runs, matrix, k)
    return Groups(groups.groups, {**_describe("spectral", matrix, k, seed), "n_init": n_init})


def embed_spectrum(values: Floats, k: int) -> Floats:
    """Return unit rows of the k leading eigenvectors of the normalised affinity, shape [T, k].

    The affinity of two tasks is the mean of both directions, less the matrix' lowest one: gains
    may be negative, affinities may not.
    """
    affinity = (values + values.T) / 2
    off_diagonal = ~np.eye(len(values), dtype=bool)
    affinity -= affinity[off_diagonal].min(initial=np.inf) if off_diagonal.any() else 0.0
    np.fill_diagonal(affinity, 0.0)
    degree = affinity.sum(axis=1)
    scale = np.divide(1.0, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0)
    vectors = np.linalg.eigh(scale[:, None] * affinity * scale)[1][:, -k:]
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    embedded: Floats = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    return embedded


def _cluster_exactly(matrix: RelevanceMatrix, k: int, seed: int, n_init: int) -> Groups:
    groups, gain = best_partition(matrix, k)
    origin = {**_describe("exact", matrix, k), "within_group_gain": gain}
    return Groups(groups.groups, origin)


def _cluster_lower_bound(matrix: RelevanceMatrix, k: int, seed: int, n_init: int) -> Groups:
    if matrix.table["ci_low"].isna().all():
        raise InputError(
            "Method `exact-lower-bound` should have a matrix with confidence intervals. "
            "Found none in column `ci_low`."
        )
    groups, bound = best_partition(matrix, k, "ci_low")
    origin = {**_describe("exact-lower-bound", matrix, k), "within_group_lower_bound": bound}
    if not np.isnan(gain := within_group_gain(matrix, groups)):
        origin["within_group_gain"] = gain
    return Groups(groups.groups, origin)


METHODS: Mapping[str, Callable[[RelevanceMatrix, int, int, int], Groups]] = {
    "kmeans": _cluster_rows,
    "spectral": _cluster_spectrum,
    "exact": _cluster_exactly,
    "exact-lower-bound": _cluster_lower_bound,
}
"""Method name to a function of matrix, k, seed and number of initialisations."""


def _describe(
    method: str, matrix: RelevanceMatrix, k: int, seed: int | None = None
) -> dict[str, Any]:
    origin = {"method": method, "k": k, "measure": matrix.measure, "matrix": matrix.identity}
    return origin if seed is None else {**origin, "seed": seed}


def _to_groups(runs: KMeansRuns, matrix: RelevanceMatrix, k: int) -> Groups:
    if np.isinf(runs.inertia[runs.best]):
        raise InputError(
            f"Parameter `k` should be at most the number of tasks that the matrix tells apart. "
            f"Found `{k}`, and fewer different rows."
        )
    labels = runs.labels[runs.best]
    return Groups(
        name_groups(
            [matrix.tasks[i] for i in np.flatnonzero(labels == label)]
            for label in np.unique(labels)
        )
    )


def _pair_up(labels: Labels) -> npt.NDArray[np.bool_]:
    """Return which pairs of tasks each run puts together, shape [R, T (T - 1) / 2]."""
    one, other = np.triu_indices(labels.shape[1], k=1)
    together: npt.NDArray[np.bool_] = labels[:, one] == labels[:, other]
    return together


def _mean_adjusted_rand(together: npt.NDArray[np.bool_]) -> float:
    """Return the mean adjusted Rand index (Hubert and Arabie 1985) of all pairs of runs."""
    runs, pairs = together.shape
    if runs < 2 or pairs == 0:
        return 1.0
    counts = together.astype(np.float64)
    both, each = counts @ counts.T, counts.sum(axis=1)
    expected = np.outer(each, each) / pairs
    highest = (each[:, None] + each) / 2
    # the index has no value for two equal partitions without any, or with every pair together
    index = np.divide(
        both - expected, highest - expected, out=np.ones_like(both), where=highest > expected
    )
    return float(index[~np.eye(runs, dtype=bool)].mean())


def _measure_silhouettes(values: Floats, names: npt.NDArray[Any]) -> Floats:
    is_defined = 2 <= len(set(names)) < len(names) and bool(np.isfinite(values).all())
    silhouettes = silhouette_samples(values, names) if is_defined else np.full(len(names), np.nan)
    return np.asarray(silhouettes, dtype=np.float64)


def _average_columns(values: Floats, chosen: npt.NDArray[np.bool_]) -> Floats:
    """Return the mean of the chosen cells of each column, NaN where there are none, [T]."""
    return pd.DataFrame(np.where(chosen, values, np.nan)).mean().to_numpy(dtype=np.float64)
