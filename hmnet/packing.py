"""Padding-free batches on stock models: one row [1, M] that holds all sequences of a batch.

- Sequences are ordered by length, so those of equal length lie side by side and their attention
  is one dense product per length, without a mask.
- The attention function is registered with transformers under `ATTENTION`; it reads the lengths
  from the packing that is active around the forward pass, and is plain SDPA outside of one.
- After the last layer only each sequence's first token is kept ([B, 1, width]), so poolers and
  heads see an ordinary batch of sequences of one token. `hmnet.first_token` goes further.

Legend: B sequences, M tokens in all, H heads, L tokens of a sequence, D width of a head.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from hmnet.dropout import draw_keep_mask
from hmnet.tokens import SplitData

ATTENTION = "packed"


@dataclass(frozen=True)
class Packing:
    """Lengths of the sequences of a packed row, ascending.

    Attributes:
        lengths: tokens of each sequence, [B].
        starts: position of each sequence's first token in the row, int64 [B].
    """

    lengths: tuple[int, ...]
    starts: Tensor

    @functools.cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Number of sequences and length of each run of equal lengths."""
        runs = itertools.groupby(self.lengths)
        return [(sum(1 for _ in run), length) for length, run in runs]


@dataclass(frozen=True)
class Batch:
    """A packed mini-batch of one task.

    Attributes:
        tokens, positions, segments: int64 [1, M].
        packing: where each sequence lies.
        labels: int64 or float32 [B].
        index: the examples' numbers in their split, in the order of the row, int64 [B].
    """

    tokens: Tensor
    positions: Tensor
    segments: Tensor
    packing: Packing
    labels: Tensor
    index: np.ndarray[Any, np.dtype[np.int64]]

    def to(self, device: torch.device) -> Batch:
        """Return the batch on `device`."""
        if device.type == "cpu":
            return self
        return Batch(
            tokens=self.tokens.to(device, non_blocking=True),
            positions=self.positions.to(device, non_blocking=True),
            segments=self.segments.to(device, non_blocking=True),
            packing=Packing(self.packing.lengths, self.packing.starts.to(device)),
            labels=self.labels.to(device, non_blocking=True),
            index=self.index,
        )


def pack(split: SplitData, index: Sequence[int] | np.ndarray[Any, Any]) -> Batch:
    """Pack the examples `index` of a split into one row, ordered by length."""
    index = np.asarray(index, dtype=np.int64)
    lengths = split.offsets[index + 1] - split.offsets[index]
    order = np.argsort(lengths, kind="stable")
    index, lengths = index[order], lengths[order]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    positions = np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
    where = np.repeat(split.offsets[index], lengths) + positions
    segments = positions >= np.repeat(split.first[index], lengths)
    return Batch(
        tokens=torch.from_numpy(split.tokens[where].astype(np.int64))[None],
        positions=torch.from_numpy(positions)[None],
        segments=torch.from_numpy(segments.astype(np.int64))[None],
        packing=Packing(tuple(lengths.tolist()), torch.from_numpy(starts)),
        labels=torch.from_numpy(np.asarray(split.labels[index])),
        index=index,
    )


_ACTIVE: ContextVar[Packing | None] = ContextVar("packing", default=None)


@contextmanager
def packed(packing: Packing | None) -> Iterator[None]:
    """Make `packing` the one that attention functions and pooling hooks read."""
    token = _ACTIVE.set(packing)
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def active_packing() -> Packing | None:
    """Return the packing of the forward pass that is under way."""
    return _ACTIVE.get()


def keep_first_tokens(module: nn.Module, args: Any, output: Any) -> Any:
    """Forward hook of the last layer: keep each sequence's first token, [B, 1, width]."""
    packing = _ACTIVE.get()
    if packing is None:
        return None
    hidden = output[0] if isinstance(output, tuple) else output
    if hidden.shape[1] == 1:
        return None
    first = hidden[0, packing.starts][:, None]
    return (first, *output[1:]) if isinstance(output, tuple) else first


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention within each sequence of a packed row.

    Args:
        query, key, value: shape [1, H, M, D].
        sliding_window: tokens attend to those at a smaller distance (ModernBERT's local layers).

    Returns:
        The outputs, shape [1, M, H, D], and None in place of the weights.
    """
    packing = _ACTIVE.get()
    if packing is None:
        options = {"scaling": scaling, "dropout": dropout, "is_causal": False, **kwargs}
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    out = attend_spans(query[0], key[0], value[0], packing, scale, dropout, sliding_window)
    return out[None], None


def attend_spans(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    packing: Packing,
    scale: float,
    dropout: float,
    sliding_window: int | None = None,
) -> Tensor:
    """Attention within each sequence, for all its tokens or for its first token alone.

    Args:
        query: shape [H, M, D]; or [H, B, D], the queries of first tokens.
        key, value: shape [H, M, D].

    Returns:
        Shape [M, H, D], or [B, H, D].
    """
    spans = packing.spans
    is_first = query.shape[1] == len(packing.lengths) != key.shape[1]
    sizes = [count * length for count, length in spans]
    queries = query.split([count for count, _ in spans] if is_first else sizes, dim=1)
    outputs = []
    # `split`, unlike slices, has a backward pass of one concatenation
    for (count, length), q, k, v in zip(
        spans, queries, key.split(sizes, dim=1), value.split(sizes, dim=1), strict=True
    ):
        mask = None if is_first else make_window_mask(length, sliding_window, query)
        each = (count, 1 if is_first else length)
        k, v = k.unflatten(1, (count, length)), v.unflatten(1, (count, length))
        out = _attend_dense(q.unflatten(1, each), k, v, mask, scale, dropout)  # [H, count, ., D]
        outputs.append(out.flatten(1, 2).transpose(0, 1))
    return torch.cat(outputs)


def make_window_mask(length: int, sliding_window: int | None, like: Tensor) -> Tensor | None:
    """Return the additive mask [L, L] of a local layer, or None where every token is in reach."""
    if sliding_window is None or length <= sliding_window:
        return None
    position = torch.arange(length, device=like.device)
    far = (position[:, None] - position[None, :]).abs() >= sliding_window
    return torch.zeros(length, length, dtype=like.dtype, device=like.device).masked_fill(
        far, float("-inf")
    )


def _attend_dense(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float, dropout: float
) -> Tensor:
    """Attention over sequences of equal length; q, k and v have shape [H, count, L, D]."""
    if dropout == 0.0 or q.device.type != "cpu":
        return nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=dropout, scale=scale
        )
    with torch.autocast("cpu", enabled=False):  # bf16 weights: autocast would widen the softmax
        scores = torch.matmul(q * scale, k.transpose(-1, -2))
        weights = (scores if mask is None else scores + mask).softmax(-1)
        keep, up = draw_keep_mask(weights, dropout)
        return torch.matmul(weights * keep, v * up)


def _make_mask(*args: Any, **kwargs: Any) -> Tensor | None:
    """No mask inside a packing; SDPA's own mask outside of one."""
    return None if _ACTIVE.get() is not None else sdpa_mask(*args, **kwargs)


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, _make_mask)
