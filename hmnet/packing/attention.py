"""Attention within each sequence of a packed row.

- On a GPU all sequences of a batch are padded together, for the attention alone: launching a kernel
  costs more than a small product.
- On a CPU without dropout sequences of equal length are one dense product, without a mask.
- On a CPU with dropout sequences of similar length are padded together, for the attention alone,
  so that a batch takes a few large products instead of many small ones; the backward pass is
  written out, as autograd's bookkeeping costs more than the arithmetic of such small products.
- What follows the last sequence of a row is attended to by nothing, and no output reads it.
- Registered with transformers under `ATTENTION`; outside of a packing it is plain SDPA.

Legend: B sequences, M tokens in all, H heads, L tokens of a sequence, D width of a head.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from hmnet.packing.batch import Bucket, Packing, get_active_packing
from hmnet.packing.dropout import draw_keep_mask

ATTENTION = "packed"


class AttentionKeywords(TypedDict, total=False):
    """The keywords of transformers' attention functions that are read here; there are others.

    Attributes:
        scaling: factor of the scores; None for D^-1/2.
        dropout: the share of the weights that is dropped.
        sliding_window: tokens attend to those at a smaller distance (ModernBERT's local layers).
        is_causal: tokens attend to earlier ones alone.
    """

    scaling: float | None
    dropout: float
    sliding_window: int | None
    is_causal: bool | None


@dataclass(frozen=True)
class AttentionOptions:
    """How queries attend to keys: the same for every way to compute it.

    Attributes:
        scale: factor of the scores.
        dropout: the share of the weights that is dropped.
        window: tokens attend to those at a smaller distance; None for all.
    """

    scale: float
    dropout: float = 0.0
    window: int | None = None

    @classmethod
    def read(cls, keywords: AttentionKeywords, width: int) -> AttentionOptions:
        """Return the options that transformers' keywords ask for, of heads of width D."""
        scaling = keywords.get("scaling")
        scale = width**-0.5 if scaling is None else scaling
        return cls(scale, keywords.get("dropout", 0.0), keywords.get("sliding_window"))


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **keywords: Unpack[AttentionKeywords],
) -> tuple[Tensor, None]:
    """Attend within each sequence of a packed row.

    Args:
        query, key, value: shape [1, H, M, D].

    Returns:
        The outputs, shape [1, M, H, D], and None in place of the weights.
    """
    packing = get_active_packing()
    if packing is None:
        plain: AttentionKeywords = {"is_causal": False, **keywords}
        plain.pop("sliding_window", None)  # its mask has it
        return sdpa_attention_forward(module, query, key, value, attention_mask, **plain)
    options = AttentionOptions.read(keywords, query.shape[-1])
    return attend_packed(query[0], key[0], value[0], packing, options)[None], None


def attend_packed(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    packing: Packing,
    options: AttentionOptions,
) -> Tensor:
    """Attention within each sequence.

    Args:
        query, key, value: shape [H, M, D].

    Returns:
        Shape [M, H, D].
    """
    if packing.is_padded_together:
        return attend_padded(query, key, value, packing, options)
    if options.dropout > 0.0:
        out: Tensor = _AttendBuckets.apply(query, key, value, packing, options)  # type: ignore[no-untyped-call]
        return out
    return _attend_spans(query, key, value, packing, options)


def attend_padded(
    query: Tensor, key: Tensor, value: Tensor, packing: Packing, options: AttentionOptions
) -> Tensor:
    """All sequences at once, padded to the longest; see `attend_packed`."""
    bucket = packing.whole
    heads, tokens, width = query.shape
    q, k, v = (
        _spread(each.transpose(0, 1)[: bucket.end].flatten(1), bucket)
        .view(bucket.count, bucket.length, heads, width)
        .transpose(1, 2)
        for each in (query, key, value)
    )  # [B, H, L, D]
    mask = _reach(bucket, options.window, key.device)
    out = nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, dropout_p=options.dropout, scale=options.scale
    )
    row = _collect(out.transpose(1, 2).flatten(0, 1).flatten(1), bucket)
    return _extend(row.view(-1, heads, width), tokens)


def _spread(row: Tensor, bucket: Bucket) -> Tensor:
    """Copy tokens of a row, [M, W], to their places in padded sequences, [B * L, W]."""
    if bucket.take is None or bucket.filled is None:
        return row
    out: Tensor = _Spread.apply(row, bucket.take, bucket.filled)  # type: ignore[no-untyped-call]
    return out


def _collect(places: Tensor, bucket: Bucket) -> Tensor:
    """Copy the tokens of padded sequences, [B * L, W], to their places in a row, [M, W]."""
    if bucket.take is None or bucket.filled is None or bucket.padding is None:
        return places
    hidden = bucket.padding.flatten()[:, None]
    out: Tensor = _Collect.apply(places, bucket.filled, bucket.take, hidden)  # type: ignore[no-untyped-call]
    return out


class _SpreadContext(FunctionCtx):
    """What `_Spread` keeps for its backward pass."""

    filled: Tensor


class _Spread(torch.autograd.Function):
    """See `_spread`. A token has one place, so its gradient is looked up there, not added up.

    Places of padding have no gradient: nothing attends to them, and nothing reads their outputs.
    """

    @staticmethod
    def forward(ctx: _SpreadContext, row: Tensor, take: Tensor, filled: Tensor) -> Tensor:
        ctx.filled = filled
        return row.index_select(0, take)

    @staticmethod
    @once_differentiable
    def backward(ctx: _SpreadContext, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad.index_select(0, ctx.filled), None, None


class _CollectContext(FunctionCtx):
    """What `_Collect` keeps for its backward pass."""

    take: Tensor
    padding: Tensor


class _Collect(torch.autograd.Function):
    """See `_collect`."""

    @staticmethod
    def forward(
        ctx: _CollectContext, places: Tensor, filled: Tensor, take: Tensor, padding: Tensor
    ) -> Tensor:
        ctx.take, ctx.padding = take, padding
        return places.index_select(0, filled)

    @staticmethod
    @once_differentiable
    def backward(ctx: _CollectContext, grad: Tensor) -> tuple[Tensor, None, None, None]:
        spread = grad.index_select(0, ctx.take)
        return spread.masked_fill_(ctx.padding, 0), None, None, None


def _extend(row: Tensor, length: int) -> Tensor:
    """Return a row, [M, H, D], with zeros after it up to `length`."""
    rest = length - len(row)
    return nn.functional.pad(row, (0, 0, 0, 0, 0, rest)) if rest else row


def _reach(bucket: Bucket, window: int | None, device: torch.device) -> Tensor | None:
    """Return which keys a query attends to, bool [B, 1, L or 1, L]; None for all of them.

    In a local layer, queries that are padding attend to everything: what attends to nothing is not
    a number.
    """
    inside = None if bucket.padding is None else ~bucket.padding[:, None]
    if window is None or bucket.length <= window:
        return inside
    place = torch.arange(bucket.length, device=device)
    near = ((place[:, None] - place).abs() < window)[None, None]
    return near if inside is None else (near & inside) | ~inside.mT


def _attend_spans(
    query: Tensor, key: Tensor, value: Tensor, packing: Packing, options: AttentionOptions
) -> Tensor:
    """One dense product for each run of sequences of equal length; see `attend_packed`."""
    spans, scale = packing.spans, options.scale
    sizes = [count * length for count, length in spans]
    sizes.append(key.shape[1] - sum(sizes))  # what follows the last sequence
    # `split`, unlike slices, has a backward pass of one concatenation
    parts = zip(*(each.split(sizes, dim=1) for each in (query, key, value)), strict=True)
    outputs = []
    for (count, length), part in zip(spans, parts, strict=False):
        mask = make_window_mask(length, options.window, query)
        q, k, v = (each.unflatten(1, (count, length)) for each in part)
        out = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
        outputs.append(out.flatten(1, 2).transpose(0, 1))  # [H, count, L, D] to [., H, D]
    return _extend(torch.cat(outputs), query.shape[1])


def make_window_mask(length: int, window: int | None, like: Tensor) -> Tensor | None:
    """Return the additive mask [L, L] of a local layer, or None where every token is in reach."""
    if window is None or length <= window:
        return None
    position = torch.arange(length, device=like.device)
    far = (position[:, None] - position[None, :]).abs() >= window
    return torch.zeros(length, length, dtype=like.dtype, device=like.device).masked_fill(
        far, float("-inf")
    )


class _BucketsContext(FunctionCtx):
    """What `_AttendBuckets` keeps for its backward pass, beside five tensors of each bucket."""

    buckets: Sequence[Bucket]
    scale: float
    up: float
    saved_tensors: tuple[Tensor, ...]


class _AttendBuckets(torch.autograd.Function):
    """Attention with dropout, a bucket of similar lengths at a time; see `attend_packed`."""

    @staticmethod
    def forward(
        ctx: _BucketsContext,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        packing: Packing,
        options: AttentionOptions,
    ) -> Tensor:
        query, key, value = (each.transpose(0, 1) for each in (query, key, value))  # [M, H, D]
        out = _make_row(query, packing.buckets[-1])
        saved: list[Tensor] = []
        with torch.autocast("cpu", enabled=False):  # it would widen the softmax
            for bucket in packing.buckets:
                q, k, v = (bucket.gather(each) for each in (query, key, value))
                scores = torch.bmm(q.mul_(options.scale), k.transpose(1, 2))
                weights = _hide(scores, bucket, options.window).softmax(-1)
                keep, up = draw_keep_mask(weights, options.dropout)
                bucket.scatter(torch.bmm(weights * keep, v.mul_(up)), out)
                saved += [q, k, v, weights, keep]
        ctx.save_for_backward(*saved)
        ctx.buckets, ctx.scale, ctx.up = packing.buckets, options.scale, up
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: _BucketsContext, grad: Tensor) -> tuple[Tensor | None, ...]:
        d_query, d_key, d_value = (_make_row(grad, ctx.buckets[-1]) for _ in range(3))
        saved = iter(ctx.saved_tensors)
        for bucket in ctx.buckets:
            q, k, v, weights, keep = itertools.islice(saved, 5)
            d_out = _ignore_padding(bucket.gather(grad), bucket)
            bucket.scatter(torch.bmm((weights * keep).transpose(1, 2), d_out), d_value)
            d_kept = torch.bmm(d_out, v.transpose(1, 2)).mul_(keep)
            d_scores = torch._softmax_backward_data(d_kept, weights, -1, weights.dtype)
            bucket.scatter(torch.bmm(d_scores, k), d_query)
            bucket.scatter(torch.bmm(d_scores.transpose(1, 2), q), d_key)
        d_query.mul_(ctx.scale)
        d_value.mul_(ctx.up)
        return *(each.transpose(0, 1) for each in (d_query, d_key, d_value)), None, None


def _make_row(like: Tensor, last: Bucket) -> Tensor:
    """Return a row, [M, H, D], to scatter into: zeros after the last bucket, else empty."""
    row = like.new_empty(like.shape)
    row[last.end :] = 0
    return row


def _hide(scores: Tensor, bucket: Bucket, window: int | None) -> Tensor:
    """Keep queries from keys that are padding or out of reach, in place; [count * H, L, L]."""
    if (mask := make_window_mask(bucket.length, window, scores)) is not None:
        scores += mask
    hide_padding(scores.unflatten(0, (bucket.count, -1)).flatten(1, 2), bucket)
    return scores


def hide_padding(scores: Tensor, bucket: Bucket) -> Tensor:
    """Keep queries from keys that are padding, in place; shape [count, queries, L]."""
    if bucket.padding is not None:  # adding is a third of the time of `masked_fill_`
        scores += bucket.padding.to(scores.dtype) * _LOWEST
    return scores


def _ignore_padding(grad: Tensor, bucket: Bucket) -> Tensor:
    """Let no gradient come from outputs at places of padding, in place; shape [count * H, L, D]."""
    if bucket.padding is not None:
        by_sequence = grad.unflatten(0, (bucket.count, -1))
        by_sequence *= (~bucket.padding[:, None]).mT.to(grad.dtype)
    return grad


_LOWEST = -1e30
"""What hides a key: finite, as some queries that are padding see nothing else."""


def _make_mask(*args: Any, **kwargs: Any) -> Tensor | None:
    """No mask inside a packing; SDPA's own mask outside of one."""
    return None if get_active_packing() is not None else sdpa_mask(*args, **kwargs)


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, _make_mask)
