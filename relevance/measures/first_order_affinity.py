"""First-order affinity: the source's step along the target's gradient, over the target's loss.

r(s, t) = <g_t, u_s> / L_t with u_s what a step of s takes off the weights of the shared layers and
g_t the gradient of t's loss on probe rows: TAG's lookahead to first order, without heads and
embeddings. The value is of all layers; each layer's part is in a column of its own, and they add
up.

Source: Fifty et al. 2021, appendix.
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


def arrange_first_order(found: Influences) -> RelevanceMatrix:
    """Return r, shape [T, T], and each layer's part in further columns."""
    columns = {name_layer(layer): values for layer, values in enumerate(found.first_order)}
    provenance = {"looks": found.looks.tolist()}
    return RelevanceMatrix.from_array(
        found.first_order.sum(axis=0), found.tasks, MEASURE.name, provenance, **columns
    )


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    return arrange_first_order(inputs.watched.influences).select(tuple(inputs.study.tasks))


MEASURE = Measure(
    name="first-order",
    title="the source's step along the target's gradient, as a share of the target's loss",
    values="share of the target's loss, to first order",
    needs="multi-task run",
    direction="directed",
    comparability="within a target",
    cost=WATCHED,
    source="Fifty et al. 2021, first-order form",
    compute=_measure,
)
