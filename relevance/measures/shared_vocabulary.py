"""The paper's vocabulary co-occurrence as a measure (section 3.2, equation 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import Measure

if TYPE_CHECKING:
    from relevance.measures.measure_inputs import MeasureInputs


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    from relevance.vocabulary.study_vocabulary import measure_study_vocabulary

    return measure_study_vocabulary(inputs.study, None, "wordpiece", 2)


def _name_values(matrix: RelevanceMatrix) -> str:
    whose = "source" if matrix.provenance.get("equation") == 1 else "target"
    return f"share of the {whose}'s vocabulary"


MEASURE = Measure(
    name="vocab",
    label="vocabulary",
    title="share of the target's vocabulary that the source has",
    values=_name_values,
    needs="data",
    direction="directed",
    comparability="within a target",
    cost="reads the texts",
    source="Fei et al. 2022, equation 2",
    compute=_measure,
    command="relevance vocab",
    is_standard=True,
)
