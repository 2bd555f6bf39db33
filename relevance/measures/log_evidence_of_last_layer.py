"""LogME of the source's features on the target's training rows: the evidence of a linear model.

r(s, t) = log evidence per row (`analysis.transfer.log_evidence`) of token states after the last
layer, averaged over tokens, of the source's own trained model, for the labels of at most
`MOST_PROBED` training rows of t; values of a regression are standardised.

Source: You et al. 2021; the last layer alone is what LogME was published for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.transfer.log_evidence import find_class_evidence, find_value_evidence
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import ONE_LABEL_KINDS, Measure
from relevance.measures.single_runs import KEPT_MODEL, score_cells

if TYPE_CHECKING:
    from relevance.measures.measure_inputs import MeasureInputs
    from relevance.measures.single_runs import SingleRuns


def score_log_evidence_of_last_layer(runs: SingleRuns) -> RelevanceMatrix:
    """Return r, shape [T, T]; the diagonal is a model on its own task's rows."""

    def score(source: str, target: str) -> float:
        features = runs.read(source, target).states[:, -1].astype(np.float64)
        if runs.is_regression(target):
            return find_value_evidence(features, runs.find_labels(target))
        return find_class_evidence(features, runs.find_classes(target))

    return score_cells(runs, MEASURE.name, score)


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    return score_log_evidence_of_last_layer(inputs.singles)


MEASURE = Measure(
    name="logme-last",
    title="evidence of a linear model from the source's last layer to the target's labels",
    values="log evidence per row",
    needs="single runs",
    direction="directed",
    comparability="within a target",
    cost=f"{KEPT_MODEL}; T x T passes over at most 300 rows",
    source="You et al. 2021",
    compute=_measure,
    kinds=ONE_LABEL_KINDS,
)
