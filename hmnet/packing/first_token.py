"""The last layer, computed for each sequence's first token alone.

Heads of whole sequences read the first token ([CLS]) only. So the last layer's output projection
and feed-forward block are needed for that token alone, and so is its query q. With one query a
sequence, keys and values need not be computed either, as both are linear maps of the layer's input
x: in each head

    q . (K x + c) = (K' q) . x + const
    sum_l w_l (V x_l + b) = V (sum_l w_l x_l) + b (sum_l w_l)

where K and V are the head's rows of the two maps, c and b their biases, and w the weights that the
head gives to the tokens. The constant is the same for all tokens, which a softmax ignores (and the
gradient of c is zero). What was four products of every token with a square matrix are products of
one token, and what is left of the work on every token are two dot products a head.

This knows the structure that BERT, RoBERTa, XLM-R, ELECTRA and CamemBERT share. Other
architectures compute the last layer for all tokens and keep the first.

Legend: B sequences, M tokens in all, H heads, D width of a head, W = H * D.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from hmnet.packing.attention import hide_padding
from hmnet.packing.batch import Bucket, LayerOutput, Packing, get_first_token_packing

_MAPS = ("attention.self.query", "attention.self.key", "attention.self.value")
_PARTS = (*_MAPS, "attention.self.dropout", "attention.output", "intermediate", "output")


class SelfAttention(Protocol):
    """What is read of a self-attention: its linear maps, its heads and the scale of scores."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    dropout: nn.Dropout
    num_attention_heads: int
    attention_head_size: int
    scaling: float


class _AttentionBlock(Protocol):
    """A self-attention, and the projection of what it gives."""

    self: SelfAttention
    output: nn.Module


class _FirstTokenLayer(nn.Module):
    """Mixed into a layer's class: inside a packing, [1, M, W] becomes [B, 1, W]."""

    attention: _AttentionBlock
    intermediate: nn.Module
    output: nn.Module

    def forward(self, hidden_states: Tensor, *args: object, **kwargs: object) -> LayerOutput:
        """Run the layer for first tokens inside a packing, else as it always does."""
        packing = get_first_token_packing()
        if packing is None:
            return super().forward(hidden_states, *args, **kwargs)
        first = hidden_states[0, packing.starts]
        context = attend_first(self.attention.self, first, hidden_states[0], packing)
        attended: Tensor = self.attention.output(context, first)
        return self.output(self.intermediate(attended), attended)[:, None]


def attend_first(
    attention: SelfAttention, first: Tensor, states: Tensor, packing: Packing
) -> Tensor:
    """Self-attention of first tokens, without the keys and values of any token.

    Args:
        attention: BERT's self-attention.
        first: the first token of each sequence, [B, W].
        states: every token, [M, W].

    Returns:
        Shape [B, W].
    """
    heads = (attention.num_attention_heads, attention.attention_head_size)
    query = (attention.query(first) * attention.scaling).unflatten(1, heads)
    sought = _map_heads(query, attention.key.weight.unflatten(0, heads))  # [B, H, W]
    buckets = [packing.whole] if packing.is_padded_together else packing.buckets
    tokens = _gather(states.to(query.dtype), buckets)
    found, total = [], []
    sizes = [bucket.count for bucket in buckets]
    for bucket, q, x in zip(buckets, sought.split(sizes), tokens, strict=True):
        scores = hide_padding(torch.bmm(q, x.mT), bucket)  # [count, H, L]
        weights = attention.dropout(scores.softmax(-1))
        found.append(torch.bmm(weights, x))
        total.append(weights.sum(-1, keepdim=True))
    value = attention.value
    mapped = _map_heads(torch.cat(found), value.weight.unflatten(0, heads).mT)  # [B, H, D]
    return (mapped + torch.cat(total) * value.bias.unflatten(0, heads)).flatten(1)


def _map_heads(vectors: Tensor, maps: Tensor) -> Tensor:
    """Apply each head's map, [H, I, O], to its vectors, [B, H, I]; return [B, H, O]."""
    return torch.bmm(vectors.transpose(0, 1), maps).transpose(0, 1)


def _gather(states: Tensor, buckets: Sequence[Bucket]) -> tuple[Tensor, ...]:
    """Copy a row, [M, W], into each bucket's sequences, [count, L, W]."""
    parts: tuple[Tensor, ...] = _Gather.apply(states, buckets)  # type: ignore[no-untyped-call]
    return parts


class _GatherContext(FunctionCtx):
    """What `_Gather` keeps for its backward pass."""

    buckets: Sequence[Bucket]
    tokens: int


class _Gather(torch.autograd.Function):
    """See `_gather`; places of padding give no gradient."""

    @staticmethod
    def forward(
        ctx: _GatherContext, states: Tensor, buckets: Sequence[Bucket]
    ) -> tuple[Tensor, ...]:
        ctx.buckets, ctx.tokens = buckets, len(states)
        return tuple(bucket.gather(states[:, None]) for bucket in buckets)

    @staticmethod
    @once_differentiable
    def backward(ctx: _GatherContext, *grads: Tensor) -> tuple[Tensor, None]:
        row = grads[0].new_zeros(ctx.tokens, 1, grads[0].shape[-1])
        for bucket, grad in zip(ctx.buckets, grads, strict=True):
            bucket.scatter(grad, row)
        return row[:, 0], None


def read_first_tokens_only(layer: nn.Module) -> bool:
    """Make a last layer skip what only other tokens need; tell whether its structure is known."""
    try:
        parts = [layer.get_submodule(name) for name in _PARTS]
    except AttributeError:
        return False
    if any(type(part) is not nn.Linear or part.bias is None for part in parts[: len(_MAPS)]):
        return False
    if getattr(layer, "add_cross_attention", False):
        return False
    kind = type(layer)
    layer.__class__ = type(f"FirstToken{kind.__name__}", (_FirstTokenLayer, kind), {})
    return True


def read_every_token(layer: nn.Module) -> None:
    """Undo `read_first_tokens_only`: the layer is computed for all tokens again."""
    kind = type(layer)
    if issubclass(kind, _FirstTokenLayer):
        layer.__class__ = kind.__mro__[2]
