"""LogME of the source's features on the target's training rows: the evidence of a linear model.

r(s, t) = log evidence per row (`analysis.transfer.log_evidence`) of token states, averaged over
tokens and layers, of the source's own trained model, for the labels of at most `MOST_PROBED`
training rows of t; values of a regression are standardised.

Source: You et al. 2021; layer means: Bassignana et al. 2024 (findings-acl.757).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.transfer.log_evidence import find_class_evidence, find_value_evidence
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import ONE_LABEL_KINDS, Measure
from relevance.measures.single_runs import KEPT_MODEL, score_cells

if TYPE_CHECKING:
    from relevance.measures.measure_inputs import MeasureInputs
    from relevance.measures.single_runs import SingleRuns


def score_log_evidence_of_layers(runs: SingleRuns) -> RelevanceMatrix:
    """Return r, shape [T, T]; the diagonal is a model on its own task's rows."""

    def score(source: str, target: str) -> float:
        features = runs.read(source, target).states.mean(axis=1)
        if runs.is_regression(target):
            return find_value_evidence(features, runs.find_labels(target))
        return find_class_evidence(features, runs.find_classes(target))

    return score_cells(runs, MEASURE.name, score)


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    return score_log_evidence_of_layers(inputs.singles)


MEASURE = Measure(
    name="logme",
    title="evidence of a linear model from the source's features, all layers, to the labels",
    values="log evidence per row",
    needs="single runs",
    direction="directed",
    comparability="within a target",
    cost=f"{KEPT_MODEL}; T x T passes over at most 300 rows",
    source="You et al. 2021; Bassignana et al. 2024",
    compute=_measure,
    kinds=ONE_LABEL_KINDS,
)
