"""How alike the attention of two models is, head by head (paper, appendix B, Figures 5 and 6).

A head's map for an example is the matrix [L, L] of its attention weights. Two models' maps are
compared by the cosine of the flattened matrices, padding excluded, without dropout and in fp32; a
head's similarity is the mean over dev examples.

No map outlives its comparison: of the first model only the queries and keys of one batch are kept,
from which its maps are computed anew when the second model reaches the same layer.

Legend: N layers, H heads, B sequences of a batch, L tokens of a sequence.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from analysis.arrays import Floats
from hmnet.data.tokens import SplitData
from hmnet.encoders.watching import Heads, list_spans, observe, watch
from hmnet.packing.batch import Batch, Packing, pack
from hmnet.training.evaluation import cut_by_tokens

BATCH_TOKENS = 2048
"""Tokens whose queries and keys are kept of every layer: 150 MB for bert-base."""
MOST_CELLS = 1 << 20
"""Cells of one head's maps at once, or one sequence's where that is more."""


def compare_attention(
    one: nn.Module,
    other: nn.Module,
    splits: Iterable[SplitData],
    device: torch.device | None = None,
) -> Floats:
    """Return the similarity of two models' heads, shape [N, H], the bottom layer first.

    Both models are prepared for being watched, which their outputs do not change by.

    Args:
        one: paths (stock sequence classifiers) of the same shape.
        other: as `one`.
        splits: dev examples; the mean is over all of them.

    Raises:
        InputError: if the architecture does not let its attention be watched.
    """
    device = device or torch.device("cpu")
    for path in (one, other):
        watch(path.to(device).eval())
    total: Tensor | float = 0.0
    count = 0
    for split in splits:
        for index in cut_by_tokens(split, BATCH_TOKENS):
            total = total + sum_similarities(one, other, pack(split, index).to(device))
            count += len(index)
    found: Floats = (torch.as_tensor(total) / count).cpu().numpy()
    return found


def sum_similarities(one: nn.Module, other: nn.Module, batch: Batch) -> Tensor:
    """Return the similarities of a batch, summed over its sequences, float64 [N, H]."""
    kept: list[Heads] = []
    observe(one, batch, kept.append)
    kept.reverse()
    sums: list[Tensor] = []

    def compare(heads: Heads) -> None:
        sums.append(_sum_cosines(kept.pop(), heads, batch.packing))

    observe(other, batch, compare)
    return torch.stack(sums)


def _sum_cosines(one: Heads, other: Heads, packing: Packing) -> Tensor:
    """Return each head's cosines, summed over sequences, float64 [H]."""
    total = torch.zeros(len(one.query), dtype=torch.float64, device=one.query.device)
    for span in list_spans(packing, MOST_CELLS):
        total += _cosine(one.maps(*span).flatten(2), other.maps(*span).flatten(2)).sum(-1)
    return total


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    """Return the cosine along the last axis; exactly 1 for equal values."""
    products = ((one, other), (one, one), (other, other))
    dot, first, second = ((a * b).sum(-1).double() for a, b in products)
    cosine: Tensor = dot / (first * second).sqrt()
    return cosine
