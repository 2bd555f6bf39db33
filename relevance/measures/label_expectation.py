"""LEEP: how well the source's answers on the target's rows tell the target's labels.

r(s, t) = LEEP (`analysis.transfer.label_likelihood`) of the probabilities that the source's own
trained model gives to its classes on at most `MOST_PROBED` training rows of t. A regression's
answers count as five classes of equal size, without probabilities; so do its labels. At most 0.

Source: Nguyen et al. 2020, "LEEP: a new measure to evaluate transferability".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.arrays import Floats
from analysis.transfer.label_likelihood import cut_values, find_leep, soften
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import ONE_LABEL_KINDS, Measure
from relevance.measures.single_runs import KEPT_MODEL, score_cells

if TYPE_CHECKING:
    from relevance.measures.measure_inputs import MeasureInputs
    from relevance.measures.single_runs import SingleRuns


def score_leep(runs: SingleRuns) -> RelevanceMatrix:
    """Return r, shape [T, T]; the diagonal is a model on its own task's rows."""

    def score(source: str, target: str) -> float:
        logits = runs.read(source, target).logits.astype(np.float64)
        shares = _spread_values(logits[:, 0]) if runs.is_regression(source) else soften(logits)
        return find_leep(shares, runs.find_classes(target))

    return score_cells(runs, MEASURE.name, score)


def _spread_values(values: Floats) -> Floats:
    """Return a regression's answers as probabilities of five classes, [N, 5]."""
    member: Floats = np.eye(5)[cut_values(values)]
    return member


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    return score_leep(inputs.singles)


MEASURE = Measure(
    name="leep",
    title="likelihood of the target's labels given the source's answers",
    values="LEEP",
    needs="single runs",
    direction="directed",
    comparability="within a target",
    cost=f"{KEPT_MODEL}; T x T passes over at most 300 rows",
    source="Nguyen et al. 2020",
    compute=_measure,
    kinds=ONE_LABEL_KINDS,
)
