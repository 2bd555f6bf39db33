"""Linear CKA: how alike the source's and the target's models represent the target's rows.

r(s, t) = linear CKA (`analysis.transfer.likeness`) of the mean token states of both tasks' own
trained models on at most `MOST_PROBED` training rows of t, a mean over layers; each layer's is in
a column of its own. From 0 to 1; 1 on the diagonal.

Source: Kornblith et al. 2019, "Similarity of neural network representations revisited".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.arrays import Floats
from analysis.transfer.likeness import compare_representations
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.layer_columns import name_layer
from relevance.measures.measure import ONE_LABEL_KINDS, Measure
from relevance.measures.single_runs import KEPT_MODEL

if TYPE_CHECKING:
    from relevance.measures.measure_inputs import MeasureInputs
    from relevance.measures.single_runs import SingleRuns


def compare_models(runs: SingleRuns) -> RelevanceMatrix:
    """Return r, shape [T, T], and each layer's in further columns."""
    cells = np.stack([_compare_with(runs, target) for target in runs.tasks], axis=2)  # [L, T, T]
    columns = {name_layer(layer): values for layer, values in enumerate(cells)}
    return RelevanceMatrix.from_array(
        cells.mean(axis=0), runs.tasks, MEASURE.name, runs.describe(), **columns
    )


def _compare_with(runs: SingleRuns, target: str) -> Floats:
    """Return the likeness of every source's layers with the target's, [L, T]."""
    own = runs.read(target, target).states.astype(np.float64)
    found = [
        [
            compare_representations(states[:, layer], own[:, layer])
            for states in (runs.read(source, target).states.astype(np.float64),)
            for layer in range(own.shape[1])
        ]
        for source in runs.tasks
    ]
    return np.array(found).T


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    return compare_models(inputs.singles)


MEASURE = Measure(
    name="linear-cka",
    title="likeness of both tasks' models' representations of the target's rows, mean over layers",
    values="linear CKA, mean over layers",
    needs="single runs",
    direction="directed",
    comparability="across targets",
    cost=f"{KEPT_MODEL}; T x T passes over at most 300 rows",
    source="Kornblith et al. 2019",
    compute=_measure,
    kinds=ONE_LABEL_KINDS,
)
