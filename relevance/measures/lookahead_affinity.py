"""TAG's lookahead: what a step of the source's batch does to the target's loss.

r(s, t) = 1 - L_t(after a step of s) / L_t(before), a mean over looks and both probe batches of t,
in one multi-task training that shares every layer (`hmnet.training.lookahead`, which says how it
differs from published code). `draw_1` and `draw_2` are further columns, one for each probe batch;
how far these two agree bounds what the measure can tell.

Source: Fifty et al. 2021, "Efficiently identifying task groupings for multi-task learning".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import Measure
from relevance.measures.watched_run import WATCHED

if TYPE_CHECKING:
    from hmnet.training.lookahead import Influences
    from relevance.measures.measure_inputs import MeasureInputs


def arrange_lookahead(found: Influences) -> RelevanceMatrix:
    """Return r, shape [T, T]; the diagonal is what a task's step does to its own loss."""
    draws = {f"draw_{draw + 1}": values for draw, values in enumerate(found.lookahead)}
    provenance = {"looks": found.looks.tolist()}
    return RelevanceMatrix.from_array(
        found.lookahead.mean(axis=0), found.tasks, MEASURE.name, provenance, **draws
    )


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    return arrange_lookahead(inputs.watched.influences).select(tuple(inputs.study.tasks))


MEASURE = Measure(
    name="lookahead",
    title="relative fall of the target's loss after a step of the source, all trained together",
    values="relative fall of the target's loss",
    needs="multi-task run",
    direction="directed",
    comparability="within a target",
    cost=WATCHED,
    source="Fifty et al. 2021 (TAG)",
    compute=_measure,
)
