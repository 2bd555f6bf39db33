"""Cosine of gradients: do both tasks' losses pull the shared layers the same way?

r(s, t) is the cosine of the gradients of both losses on probe rows, in one multi-task training, a
mean over looks and layers; each layer's is in a column of its own. The two gradients are of
different probe batches, also on the diagonal, which is therefore how well a gradient agrees with
itself.

Source: Du et al. 2018, "Adapting auxiliary losses using gradient similarity"; Yu et al. 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.layer_columns import name_layer
from relevance.measures.measure import Measure
from relevance.measures.watched_run import WATCHED

if TYPE_CHECKING:
    from hmnet.training.lookahead import Influences
    from relevance.measures.measure_inputs import MeasureInputs


def arrange_cosines(found: Influences) -> RelevanceMatrix:
    """Return r, shape [T, T], symmetric, and each layer's in further columns."""
    columns = {name_layer(layer): values for layer, values in enumerate(found.cosine)}
    provenance = {"looks": found.looks.tolist()}
    return RelevanceMatrix.from_array(
        found.cosine.mean(axis=0), found.tasks, MEASURE.name, provenance, **columns
    )


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    return arrange_cosines(inputs.watched.influences).select(tuple(inputs.study.tasks))


MEASURE = Measure(
    name="gradient-cosine",
    title="cosine of both tasks' gradients of the shared layers, in one multi-task training",
    values="cosine of gradients, mean over layers",
    needs="multi-task run",
    direction="symmetric",
    comparability="across targets",
    cost=WATCHED,
    source="Du et al. 2018; Yu et al. 2020",
    compute=_measure,
)
