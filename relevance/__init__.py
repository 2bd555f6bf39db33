"""How much tasks help or hurt each other: measures, their matrix, groups of tasks, and systems.

Every measure gives a `RelevanceMatrix` (sources are rows, targets columns); a `Grouper` gives
groups of its tasks. With the paper's own gains:

>>> from relevance import KMeansGrouper, compare_matrices, decompose, load_reference
>>> gains = load_reference("paper:table3")
>>> groups = KMeansGrouper(k=3).fit(gains).groups_
>>> groups.groups["3"], round(groups.origin["stability"]["share"], 1)
(('mnli', 'snli', 'stsb', 'multirc'), 0.5)
>>> decompose(gains).shares["column"] > decompose(gains).shares["row"]     # of the variance
True
>>> words = load_reference("paper:table2")
>>> round(compare_matrices(words, gains, permutations=99).spearman, 2)
-0.02

A name is imported when it is asked for: torch comes with the first that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relevance.demo import run_demo
    from relevance.groups.clustering import cluster
    from relevance.groups.doubt import DoubtedGroups, describe_doubt, group_matrix
    from relevance.groups.groupers import (
        ExactGrouper,
        Grouper,
        KMeansGrouper,
        LowerBoundGrouper,
        SpectralGrouper,
        make_grouper,
    )
    from relevance.matrices.comparison import MatrixComparison, compare_matrices
    from relevance.matrices.decomposition import decompose
    from relevance.matrices.gain_table import tabulate_gains
    from relevance.matrices.manual import make_manual_groups, make_manual_matrix
    from relevance.matrices.matrix import RelevanceMatrix
    from relevance.matrices.reference import load_published_groups, load_reference
    from relevance.measures.measure import Measure
    from relevance.measures.measure_inputs import MeasureInputs
    from relevance.measures.registry import MEASURES
    from relevance.pairwise.gains import measure_gains
    from relevance.pairwise.measurement import (
        MeasureOptions,
        SweepMeasurement,
        describe_measurement,
        measure_sweep,
    )
    from relevance.pairwise.sweep import measure_pairwise, plan_sweep, run_sweep
    from relevance.pairwise.uncertainty import to_matrix
    from relevance.systems.compare import compare_systems
    from relevance.systems.systems import System, list_systems
    from relevance.vocabulary.cooccurrence import measure_vocabulary
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "MEASURES",
    "DoubtedGroups",
    "ExactGrouper",
    "Grouper",
    "KMeansGrouper",
    "LowerBoundGrouper",
    "MatrixComparison",
    "Measure",
    "MeasureInputs",
    "MeasureOptions",
    "RelevanceMatrix",
    "SpectralGrouper",
    "SweepMeasurement",
    "System",
    "cluster",
    "compare_matrices",
    "compare_systems",
    "decompose",
    "describe_doubt",
    "describe_measurement",
    "group_matrix",
    "list_systems",
    "load_published_groups",
    "load_reference",
    "make_grouper",
    "make_manual_groups",
    "make_manual_matrix",
    "measure_gains",
    "measure_pairwise",
    "measure_sweep",
    "measure_vocabulary",
    "plan_sweep",
    "run_demo",
    "run_sweep",
    "tabulate_gains",
    "to_matrix",
]
