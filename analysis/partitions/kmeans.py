"""k-means from many random initialisations, and how many of them agree with the best."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # no stubs

from analysis.arrays import Floats, Labels
from analysis.partitions.agreement import compare_mutually, pair_up

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
        together = pair_up(self.labels)
        share = (together == together[self.best]).all(axis=1).mean()
        others = ~np.eye(len(self.labels), dtype=bool)
        index = compare_mutually(self.labels)[others]
        return {"share": float(share), "mean_ari": float(index.mean()) if len(index) else 1.0}


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
