"""From a relevance matrix to groups of tasks (paper, section 3.3, "Clustering process").

groups = cluster(load_reference("paper:table3"), k=3)
groups.origin["stability"]       # {"share": ..., "mean_ari": ...}
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import silhouette_samples

from analysis.arrays import Floats
from analysis.partitions.kmeans import INITIALISATIONS
from hmnet.study.hierarchy import Groups
from relevance.groups.groupers import make_grouper
from relevance.matrices.matrix import RelevanceMatrix


def cluster(
    matrix: RelevanceMatrix,
    k: int,
    method: str = "kmeans",
    seed: int = 0,
    n_init: int = INITIALISATIONS,
) -> Groups:
    """Group the tasks of a matrix by the grouper of that name (`relevance.groups.groupers`).

    Args:
        matrix: any measure's; sources are rows.
        k: number of groups.
        method: `kmeans`, on the raw rows as in the paper; `spectral`, on the symmetrised matrix;
            `exact`, the highest within-group gain of all partitions; `exact-lower-bound`, the same
            with `ci_low` for the gains.
        seed: seed of the initialisations.
        n_init: initialisations of k-means.

    Raises:
        InputError: for an unknown method, a k outside 1 to T, missing values (with the cells'
            names), or fewer than k tasks that the rows tell apart.
    """
    return make_grouper(method, k, seed, n_init).fit(matrix).groups_


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


def _measure_silhouettes(values: Floats, names: npt.NDArray[np.object_]) -> Floats:
    is_defined = 2 <= len(set(names)) < len(names) and bool(np.isfinite(values).all())
    silhouettes = silhouette_samples(values, names) if is_defined else np.full(len(names), np.nan)
    return np.asarray(silhouettes, dtype=np.float64)


def _average_columns(values: Floats, chosen: npt.NDArray[np.bool_]) -> Floats:
    """Return the mean of the chosen cells of each column, NaN where there are none, [T]."""
    return pd.DataFrame(np.where(chosen, values, np.nan)).mean().to_numpy(dtype=np.float64)
