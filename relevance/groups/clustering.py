"""From a relevance matrix to groups of tasks (paper, section 3.3, "Clustering process").

The paper's method is k-means with a task's scores towards all targets, its row, as features. One
random initialisation often ends in a worse partition than the best, so that many are tried, and
how many of them agree with the best is part of the result.

    groups = cluster(load_reference("paper:table3"), k=3)
    groups.origin["stability"]       # {"share": ..., "mean_ari": ...}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import silhouette_samples

from analysis.arrays import Floats
from analysis.partitions.kmeans import INITIALISATIONS, KMeansRuns, run_kmeans
from analysis.partitions.spectral import embed_spectrum
from hmnet.errors import InputError, suggest
from hmnet.study.hierarchy import Groups, name_groups
from relevance.groups.partition import (
    MAX_TASKS,
    best_partition,
    check_k,
    read_values,
    within_group_gain,
)
from relevance.matrices.matrix import RelevanceMatrix


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
            (`relevance.groups.partition`); `exact-lower-bound`, the same with `ci_low` for the
            gains.
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


def _measure_silhouettes(values: Floats, names: npt.NDArray[Any]) -> Floats:
    is_defined = 2 <= len(set(names)) < len(names) and bool(np.isfinite(values).all())
    silhouettes = silhouette_samples(values, names) if is_defined else np.full(len(names), np.nan)
    return np.asarray(silhouettes, dtype=np.float64)


def _average_columns(values: Floats, chosen: npt.NDArray[np.bool_]) -> Floats:
    """Return the mean of the chosen cells of each column, NaN where there are none, [T]."""
    return pd.DataFrame(np.where(chosen, values, np.nan)).mean().to_numpy(dtype=np.float64)
