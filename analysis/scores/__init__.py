"""Predictions scored under resampled examples.

Every metric of all runs and draws at once, runs that did not learn, and how runs vary over seeds.

>>> import numpy as np
>>> from analysis.scores import Arm, Predictions, find_collapsed, measure_majority, score_runs
>>> labels = np.array([0, 0, 0, 1])
>>> predictions = Predictions(
...     task="made",
...     metric="accuracy",
...     labels=labels,
...     splits=np.full(4, "validation", object),
...     questions=np.full(4, -1),
...     single=Arm(seeds=(0, 1), values=np.array([[0, 0, 0, 1], [0, 0, 0, 0]])),
...     joint={},
... )
>>> score_runs(predictions, predictions.single.values)
array([1.  , 0.75])
>>> measure_majority(predictions)
0.75
>>> [(run.seed, run.reasons) for run in find_collapsed(predictions)]
[(1, ('one class predicted',))]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.scores.baselines import (
        find_undefined,
        has_learned,
        is_classification,
        measure_majority,
    )
    from analysis.scores.collapse import (
        COLLAPSED_COLUMNS,
        CollapsedRun,
        find_collapsed,
        measure_chance_loss,
        tabulate_collapsed,
    )
    from analysis.scores.predictions import (
        Arm,
        Predictions,
        StoredPredictions,
        collect_predictions,
        collect_sweep,
    )
    from analysis.scores.resampling import count_units, resample_scores, score_runs
    from analysis.scores.scorers import SCORERS, make_scorer
    from analysis.scores.seed_noise import SeedNoise, measure_spread, moderate
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "COLLAPSED_COLUMNS",
    "SCORERS",
    "Arm",
    "CollapsedRun",
    "Predictions",
    "SeedNoise",
    "StoredPredictions",
    "collect_predictions",
    "collect_sweep",
    "count_units",
    "find_collapsed",
    "find_undefined",
    "has_learned",
    "is_classification",
    "make_scorer",
    "measure_chance_loss",
    "measure_majority",
    "measure_spread",
    "moderate",
    "resample_scores",
    "score_runs",
    "tabulate_collapsed",
]
