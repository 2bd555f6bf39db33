"""Groupings of arrays, their number and their stability.

k-means, spectral and exact partitions; how far two partitions agree, how many groups stand out
from chance, and how often resampling gives the same ones.

>>> import numpy as np
>>> from analysis.partitions import cluster_stack, compare_labels, find_structure
>>> families = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
>>> noise = np.random.default_rng(0).normal(scale=0.02, size=(9, 9))
>>> gains = 0.1 * (families[:, None] == families) + noise
>>> labels = cluster_stack(gains[None], 3, "exact")
>>> compare_labels(labels, families)     # adjusted Rand index
array([1.])
>>> find_structure(gains, "exact", nulls=39).k
3
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.partitions.agreement import (
        adjust_rand,
        compare_groups,
        compare_labels,
        compare_members,
        compare_mutually,
        count_together,
        to_labels,
    )
    from analysis.partitions.batched_kmeans import RowKMeans, measure_within
    from analysis.partitions.decision import Decision, Expectation, decide, expect
    from analysis.partitions.exact import solve_sets, trace_partition, value_sets
    from analysis.partitions.kmeans import KMeansRuns, run_kmeans
    from analysis.partitions.per_draw import (
        cluster_for_each,
        cluster_stack,
        measure_gain,
        measure_objective,
    )
    from analysis.partitions.shared_layers import (
        LayerAgreement,
        find_parting,
        find_shared,
        measure_agreement,
    )
    from analysis.partitions.spectral import embed_spectrum
    from analysis.partitions.stability import GroupStability, measure_stability, tabulate_together
    from analysis.partitions.structure import Structure, find_structure, split_effects
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "Decision",
    "Expectation",
    "GroupStability",
    "KMeansRuns",
    "LayerAgreement",
    "RowKMeans",
    "Structure",
    "adjust_rand",
    "cluster_for_each",
    "cluster_stack",
    "compare_groups",
    "compare_labels",
    "compare_members",
    "compare_mutually",
    "count_together",
    "decide",
    "embed_spectrum",
    "expect",
    "find_parting",
    "find_shared",
    "find_structure",
    "measure_agreement",
    "measure_gain",
    "measure_objective",
    "measure_stability",
    "measure_within",
    "run_kmeans",
    "solve_sets",
    "split_effects",
    "tabulate_together",
    "to_labels",
    "trace_partition",
    "value_sets",
]
