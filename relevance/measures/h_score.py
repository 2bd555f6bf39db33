"""H-score of the source's features on the target's training rows: do they tell its classes apart?

r(s, t) = shrunk H-score (`analysis.transfer.class_scatter`) of token states, averaged over tokens
and layers, of the source's own trained model, on at most `MOST_PROBED` training rows of t. Values
of a regression count as five classes of equal size. It is not negative; the more classes a target
has, the higher it can be.

Source: Ibrahim et al. 2021; layer means: Bassignana et al. 2024 (findings-acl.757).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.transfer.class_scatter import score_classes
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import ONE_LABEL_KINDS, Measure
from relevance.measures.single_runs import KEPT_MODEL, score_cells

if TYPE_CHECKING:
    from relevance.measures.measure_inputs import MeasureInputs
    from relevance.measures.single_runs import SingleRuns


def score_h_score(runs: SingleRuns) -> RelevanceMatrix:
    """Return r, shape [T, T]; the diagonal is a model on its own task's rows."""

    def score(source: str, target: str) -> float:
        features = runs.read(source, target).states.mean(axis=1)
        return score_classes(features, runs.find_classes(target))

    return score_cells(runs, MEASURE.name, score)


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    return score_h_score(inputs.singles)


MEASURE = Measure(
    name="h-score",
    title="how well the source's features, averaged over layers, separate the target's classes",
    values="shrunk H-score",
    needs="single runs",
    direction="directed",
    comparability="within a target",
    cost=f"{KEPT_MODEL}; T x T passes over at most 300 rows",
    source="Ibrahim et al. 2021; Bassignana et al. 2024",
    compute=_measure,
    kinds=ONE_LABEL_KINDS,
)
