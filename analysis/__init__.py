"""Statistics of predictions, gains and groupings: arrays in, numbers out.

Nothing here knows an output folder, a study or a worker, and nothing prints. On made predictions
of two tasks, of which `a` gains from `b`:

>>> from analysis import Arm, Predictions, bootstrap_gains
>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> labels = rng.integers(0, 2, 200)
>>> rows = {"splits": np.full(200, "validation", object), "questions": np.full(200, -1)}
>>> def guess(share):
...     right = rng.random((3, 200)) < share
...     return Arm((0, 1, 2), np.where(right, labels, 1 - labels))
>>> def make(task, single, **joint):
...     arms = {partner: guess(share) for partner, share in joint.items()}
...     return Predictions(task, "accuracy", labels, **rows, single=guess(single), joint=arms)
>>> predictions = {"a": make("a", 0.7, b=0.9), "b": make("b", 0.7, a=0.7)}
>>> found = bootstrap_gains(predictions, draws=200)
>>> low, high = found.interval("points")
>>> bool(low[1, 0] > 0), bool(low[0, 1] < 0 < high[0, 1])     # sources are rows
(True, True)

A name is imported when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.arrays import Floats, Labels
    from analysis.attention_similarity import compare_attention
    from analysis.gains.attention_layers import relate_to_gains
    from analysis.gains.bootstrap import GainBootstrap, bootstrap_gains
    from analysis.gains.flags import compare_with_majority
    from analysis.gains.paired import estimate_differences, score_systems
    from analysis.gains.power import find_detectable_gain, split_budget
    from analysis.gains.scales import compute_gains
    from analysis.gains.seed_value import plan_refinement
    from analysis.levels import DRAWS, INTERVAL_LEVEL, SIGNIFICANCE, take_interval
    from analysis.partitions.agreement import compare_groups, compare_labels
    from analysis.partitions.kmeans import run_kmeans
    from analysis.partitions.stability import measure_stability
    from analysis.partitions.structure import find_structure
    from analysis.ranks import rank_correlation
    from analysis.scores.baselines import has_learned, measure_majority
    from analysis.scores.collapse import find_collapsed
    from analysis.scores.predictions import Arm, Predictions
    from analysis.scores.resampling import resample_scores, score_runs
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "DRAWS",
    "INTERVAL_LEVEL",
    "SIGNIFICANCE",
    "Arm",
    "Floats",
    "GainBootstrap",
    "Labels",
    "Predictions",
    "bootstrap_gains",
    "compare_attention",
    "compare_groups",
    "compare_labels",
    "compare_with_majority",
    "compute_gains",
    "estimate_differences",
    "find_collapsed",
    "find_detectable_gain",
    "find_structure",
    "has_learned",
    "measure_majority",
    "measure_stability",
    "plan_refinement",
    "rank_correlation",
    "relate_to_gains",
    "resample_scores",
    "run_kmeans",
    "score_runs",
    "score_systems",
    "split_budget",
    "take_interval",
]
