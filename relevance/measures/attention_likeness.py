"""Likeness of attention: do both tasks' own models attend alike on the same rows?

r(s, t) is the cosine of both models' attention maps (`analysis.attention_similarity`, as in the
paper's Figures 5 and 6), a mean over layers, heads and probe rows; each layer's and each head's is
in a column of its own. The probe rows are the same for all pairs: `PROBED` training rows of every
task together, at most `MOST_PROBE` in all, so that the matrix is symmetric.

Source: Fei et al. 2022, appendix B, there between a task's own and its pair's model.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from analysis.arrays import Floats
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.layer_columns import name_layer
from relevance.measures.measure import Measure
from relevance.measures.single_runs import KEPT_MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hmnet.data.tokens import SplitData
    from relevance.measures.measure_inputs import MeasureInputs
    from relevance.measures.single_runs import SingleRuns

PROBED = 20
MOST_PROBE = 150


def arrange_heads(
    tasks: tuple[str, ...], cells: Mapping[tuple[str, str], Floats]
) -> RelevanceMatrix:
    """Return r, shape [T, T], from the likeness of heads, [L, H], of each pair of tasks."""
    shape = next(iter(cells.values())).shape if cells else (0, 0)
    whole = np.ones((*shape, len(tasks), len(tasks)))
    for (one, other), heads in cells.items():
        i, j = tasks.index(one), tasks.index(other)
        whole[:, :, i, j] = whole[:, :, j, i] = heads
    columns = {name_layer(layer): values for layer, values in enumerate(whole.mean(axis=1))}
    columns |= {name_layer(layer, head): whole[layer, head] for layer, head in np.ndindex(*shape)}
    values = whole.mean(axis=(0, 1)) if cells else np.ones((len(tasks), len(tasks)))
    return RelevanceMatrix.from_array(values, tasks, MEASURE.name, **columns)


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    from dataclasses import replace

    runs = inputs.singles
    probe = list(_draw_probe(runs).values())
    cells = {pair: _compare(runs, pair, probe) for pair in itertools.combinations(runs.tasks, 2)}
    counts = {"probe": [len(split) for split in probe]}
    return replace(arrange_heads(runs.tasks, cells), provenance={**runs.describe(), **counts})


def _draw_probe(runs: SingleRuns) -> dict[str, SplitData]:
    """Return the probe rows of each task."""
    from hmnet.training.layer_features import take_rows

    each = max(min(PROBED, MOST_PROBE // len(runs.tasks)), 1)
    found = {}
    for task in runs.tasks:
        rows = runs.find_rows(task)
        index = rows[:: max(len(rows) // each, 1)][:each]
        found[task] = take_rows(runs.prepared.data[task].train, index)
    return found


def _compare(runs: SingleRuns, pair: tuple[str, str], probe: list[SplitData]) -> Floats:
    """Return the likeness of heads of two tasks' models, [L, H]."""
    from analysis.attention_similarity import compare_attention

    one, other = (runs.load(task).path(task) for task in pair)
    return compare_attention(one, other, probe)


MEASURE = Measure(
    name="attention-likeness",
    title="likeness of both tasks' models' attention on the same rows, mean over heads",
    values="cosine of attention maps, mean over heads",
    needs="single runs",
    direction="symmetric",
    comparability="across targets",
    cost=f"{KEPT_MODEL}; T (T - 1) passes over at most {MOST_PROBE} rows",
    source="Fei et al. 2022, appendix B (Figures 5 and 6)",
    compute=_measure,
)
