"""NCE: what is left unknown of the target's labels after the source's likeliest class.

r(s, t) = -H(Y | Z) (`analysis.transfer.label_likelihood`) with Y the labels of at most
`MOST_PROBED` training rows of t and Z what the source's own trained model answers on them. A
regression's answers and labels count as five classes of equal size. At most 0.

Source: Tran et al. 2019, "Transferability and hardness of supervised classification tasks".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.transfer.label_likelihood import cut_values, find_nce
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import ONE_LABEL_KINDS, Measure
from relevance.measures.single_runs import KEPT_MODEL, score_cells

if TYPE_CHECKING:
    from relevance.measures.measure_inputs import MeasureInputs
    from relevance.measures.single_runs import SingleRuns


def score_nce(runs: SingleRuns) -> RelevanceMatrix:
    """Return r, shape [T, T]; the diagonal is a model on its own task's rows."""

    def score(source: str, target: str) -> float:
        logits = runs.read(source, target).logits.astype(np.float64)
        is_value = runs.is_regression(source)
        answers = cut_values(logits[:, 0]) if is_value else logits.argmax(axis=1)
        return find_nce(answers, runs.find_classes(target))

    return score_cells(runs, MEASURE.name, score)


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    return score_nce(inputs.singles)


MEASURE = Measure(
    name="nce",
    title="minus the entropy of the target's labels given the source's answers",
    values="minus conditional entropy, nats",
    needs="single runs",
    direction="directed",
    comparability="within a target",
    cost=f"{KEPT_MODEL}; T x T passes over at most 300 rows",
    source="Tran et al. 2019",
    compute=_measure,
    kinds=ONE_LABEL_KINDS,
)
