"""The paper's manual design as a measure: tasks of one category (section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import Measure

if TYPE_CHECKING:
    from relevance.measures.measure_inputs import MeasureInputs


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    from relevance.matrices.manual import make_manual_matrix

    return make_manual_matrix(inputs.study.tasks.values())


MEASURE = Measure(
    name="manual",
    title="1 where both tasks have the same category in the study file, else 0",
    values="1 for tasks of one category",
    needs="study",
    direction="symmetric",
    comparability="across targets",
    cost="nothing",
    source="Fei et al. 2022, section 3.2",
    compute=_measure,
)
