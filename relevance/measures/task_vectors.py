"""Cosine of task vectors: do both tasks' trainings move the encoder's weights the same way?

With v_t the weights of the encoder's layers after training on t alone, less those before:
r(s, t) = cos(v_s, v_t), from -1 to 1, over all layers; each layer's is in a column of its own. Both
runs have the same seed. Embeddings and heads play no part.

Source: Ilharco et al. 2023, "Editing models with task arithmetic"; for transfer, Vu et al. 2022.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.arrays import Floats
from hmnet.errors import raise_problems
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.layer_columns import name_layer
from relevance.measures.measure import Measure
from relevance.measures.single_runs import KEPT_MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from relevance.measures.measure_inputs import MeasureInputs


def compare_vectors(vectors: Mapping[str, Sequence[Floats]]) -> RelevanceMatrix:
    """Return the cosines of task vectors, each a list of its layers' parts; symmetric.

    Raises:
        InputError: for every task whose training moved nothing.
    """
    layers = [np.stack(parts) for parts in zip(*vectors.values(), strict=True)]  # [T, n] each
    lengths = np.sum([(each.astype(np.float64) ** 2).sum(axis=1) for each in layers], axis=0)
    raise_problems(
        f"The training of task `{task}` should move the encoder's weights. Found a change of "
        f"length `{length**0.5}`."
        for task, length in zip(vectors, lengths.tolist(), strict=True)
        if not (np.isfinite(length) and length > 0)
    )
    products = np.stack([_multiply(each) for each in layers])  # [L, T, T]
    columns = {name_layer(i): _normalise(product) for i, product in enumerate(products)}
    return RelevanceMatrix.from_array(
        _normalise(products.sum(axis=0)), list(vectors), MEASURE.name, {}, **columns
    )


def _multiply(vectors: Floats) -> Floats:
    wide = vectors.astype(np.float64)
    return wide @ wide.T


def _normalise(products: Floats) -> Floats:
    """Return cosines from products of vectors, [T, T]; NaN for one that is 0."""
    length = np.sqrt(np.diag(products))
    scale = np.outer(length, length)
    cosine = np.divide(products, scale, out=np.full_like(products, np.nan), where=scale > 0)
    found: Floats = np.clip((cosine + cosine.T) / 2, -1.0, 1.0)
    np.fill_diagonal(found, np.where(length > 0, 1.0, np.nan))
    return found


def _measure(inputs: MeasureInputs) -> RelevanceMatrix:
    from dataclasses import replace

    from hmnet.encoders.load import load_encoder

    runs, model = inputs.singles, inputs.singles.prepared.model
    encoder = load_encoder(model.name, model.revision, fingerprint=model.fingerprint)
    before = _list_weights(encoder.model)
    vectors = {
        task: [
            now - then
            for now, then in zip(_list_weights(runs.load(task).path(task)), before, strict=True)
        ]
        for task in runs.tasks
    }
    return replace(compare_vectors(vectors), provenance=runs.describe())


def _list_weights(model: nn.Module) -> list[Floats]:
    """Return the weights of each layer in a row, bottom first."""
    from hmnet.encoders.layers import find_layers

    return [
        np.concatenate([p.detach().numpy().ravel() for p in layer.parameters()])
        for layer in find_layers(model)
    ]


MEASURE = Measure(
    name="task-vectors",
    title="cosine of how both tasks' trainings move the encoder's weights",
    values="cosine of task vectors",
    needs="single runs",
    direction="symmetric",
    comparability="across targets",
    cost=KEPT_MODEL,
    source="Ilharco et al. 2023; Vu et al. 2022",
    compute=_measure,
)
