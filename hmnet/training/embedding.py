"""Texts as vectors: the mean of a text's token states after an encoder's last layer.

Legend: N examples, W width of the encoder.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from hmnet.data.tokens import SplitData
from hmnet.encoders.layers import find_layers
from hmnet.encoders.load import Encoder
from hmnet.packing.batch import pack
from hmnet.packing.first_token import read_every_token
from hmnet.packing.forward import compute_logits

BATCH_ROWS = 32


@torch.inference_mode()
def embed(
    encoder: Encoder, split: SplitData, index: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """Return the mean token state of some examples of a split, without dropout, in fp32.

    Args:
        encoder: stays as it is; a copy of its model is run.
        index: numbers of the examples, N of them.

    Returns:
        Shape [N, W], in the order of `index`.
    """
    model = copy.deepcopy(encoder.model).eval()
    order = np.argsort(split.lengths[index], kind="stable")
    found: dict[int, npt.NDArray[np.float64]] = {}
    with _kept_states(model) as kept:
        for part in np.array_split(order, -(-len(order) // BATCH_ROWS)):
            batch = pack(split, index[part])
            compute_logits(model, batch, is_packable=encoder.is_packable)
            means = average_tokens(kept.pop(), batch.packing.lengths, encoder.is_packable)
            found |= dict(zip(batch.index.tolist(), means, strict=True))
    return np.stack([found[int(row)] for row in index])


@contextmanager
def _kept_states(model: nn.Module) -> Iterator[list[Tensor]]:
    """Gather what the last layer gives for every token, before anything else reads it."""
    last = find_layers(model)[-1]
    read_every_token(last)
    kept: list[Tensor] = []

    def keep(module: nn.Module, args: Any, output: Any) -> None:
        kept.append(output[0] if isinstance(output, tuple) else output)

    handle = last.register_forward_hook(keep, prepend=True)
    try:
        yield kept
    finally:
        handle.remove()


def average_tokens(
    states: Tensor, lengths: tuple[int, ...], is_packed: bool
) -> list[npt.NDArray[np.float64]]:
    """Return each text's mean: of a packed row [1, M, W], or of padded texts [B, L, W]."""
    if is_packed:
        texts = states[0, : sum(lengths)].split(lengths)
    else:
        texts = tuple(row[:size] for row, size in zip(states, lengths, strict=True))
    return [text.double().mean(dim=0).numpy() for text in texts]
