"""Cosine of two tasks' mean text embeddings, by the study's encoder as it is before training.

A text's embedding is the mean of its tokens' states after the last layer; a task's is the mean over
at most `MOST_ROWS` training rows, drawn at random. r(s, t) is the cosine of both, from -1 to 1.
Encoders put all texts into a narrow cone, so that values lie close together; their order counts.

Source: Vu et al. 2020, "Exploring and predicting transferability across NLP tasks" (TextEmb).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.arrays import Floats
from hmnet.errors import raise_problems
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import Measure

if TYPE_CHECKING:
    from hmnet.data.tokens import SplitData
    from relevance.measures.measure_inputs import MeasureInputs

MOST_ROWS = 500


def compare_embeddings(means: dict[str, Floats]) -> RelevanceMatrix:
    """Return the cosines of mean embeddings, each of shape [W]; symmetric, ones on the diagonal.

    Raises:
        InputError: for every task whose mean embedding has no direction.
    """
    lengths = {task: float(np.linalg.norm(mean)) for task, mean in means.items()}
    raise_problems(
        f"The mean text embedding of task `{task}` should be finite and not 0. Found length "
        f"`{length}`. Choose another encoder with --model."
        for task, length in lengths.items()
        if not (np.isfinite(length) and length > 0)
    )
    units = np.stack([mean / lengths[task] for task, mean in means.items()])
    values = np.clip(units @ units.T, -1.0, 1.0)
    values = (values + values.T) / 2
    np.fill_diagonal(values, 1.0)
    return RelevanceMatrix.from_array(values, list(means), MEASURE.name)


def draw_rows(split: SplitData, most: int = MOST_ROWS) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return the row numbers of a sample without replacement, ascending; all if they are few."""
    if len(split) <= most:
        return np.arange(len(split))
    return np.sort(np.random.default_rng(0).choice(len(split), most, replace=False))


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    from dataclasses import replace

    from hmnet.encoders.load import load_encoder
    from hmnet.training.embedding import embed

    model, data = inputs.prepared.model, inputs.prepared.data
    encoder = load_encoder(model.name, model.revision, fingerprint=model.fingerprint)
    rows = {name: draw_rows(task.train) for name, task in data.items()}
    means = {name: embed(encoder, data[name].train, rows[name]).mean(axis=0) for name in rows}
    provenance = {
        "model": model.fingerprint,
        "rows": {name: len(drawn) for name, drawn in rows.items()},
        "data": {name: task.fingerprint for name, task in data.items()},
    }
    return replace(compare_embeddings(means), provenance=provenance)


MEASURE = Measure(
    name="text-embedding",
    title="cosine of the mean text embeddings of the untrained encoder",
    values="cosine of mean text embeddings",
    needs="data",
    direction="symmetric",
    comparability="across targets",
    cost=f"a pass of the encoder over at most {MOST_ROWS} training rows a task",
    source="Vu et al. 2020 (TextEmb)",
    compute=_measure,
)
