"""The size rule: the more training rows a source has, the better for the target.

r(s, t) = n_s / (n_s + n_t) with n the training rows that runs see, after `rows.max_train`. Within a
target it ranks sources by their rows; 0.5 is a source of the target's size. No measure is worth
anything that does not beat it.

Source: Vu et al. 2020, "Exploring and predicting transferability across NLP tasks" (DataSize).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import Measure

if TYPE_CHECKING:
    from relevance.measures.measure_inputs import MeasureInputs


def compare_sizes(rows: Mapping[str, int]) -> RelevanceMatrix:
    """Return r from task name to training rows, shape [T, T], with 0.5 on the diagonal."""
    sizes = np.array(list(rows.values()), dtype=np.float64)
    values = sizes[:, None] / (sizes[:, None] + sizes[None, :])
    provenance = {"training_rows": dict(rows)}
    return RelevanceMatrix.from_array(values, list(rows), MEASURE.name, provenance)


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    return compare_sizes({name: len(d.train) for name, d in inputs.prepared.data.items()})


MEASURE = Measure(
    name="size",
    title="size rule: the source's training rows, as a share of both tasks'",
    values="source's share of both tasks' training rows",
    needs="data",
    direction="directed",
    comparability="across targets",
    cost="counts rows",
    source="Vu et al. 2020 (DataSize)",
    compute=_measure,
)
