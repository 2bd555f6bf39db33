"""The last layer, computed for each sequence's first token alone.

Heads read the first token ([CLS]) only. In the last layer its query attends to the keys and
values of all tokens, and the output projection and the feed-forward block are needed for that
token alone: the same result for a fraction of the work.

This knows the structure that BERT, RoBERTa, XLM-R, ELECTRA and CamemBERT share. Other
architectures compute the last layer for all tokens and keep the first.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from hmnet.attention import attend_packed
from hmnet.packing import active_packing

_PARTS = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.self.dropout",
    "attention.output",
    "intermediate",
    "output",
)


class _FirstTokenLayer(nn.Module):
    """Mixed into a layer's class: inside a packing, [1, M, width] becomes [B, 1, width]."""

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Run the layer for first tokens inside a packing, else as it always does."""
        packing = active_packing()
        if packing is None:
            return super().forward(hidden_states, *args, **kwargs)
        layer: Any = self
        attention = layer.attention.self
        first = hidden_states[0, packing.starts]  # [B, width]
        split = (-1, attention.num_attention_heads, attention.attention_head_size)
        query = attention.query(first).view(split).transpose(0, 1)
        key = attention.key(hidden_states[0]).view(split).transpose(0, 1)
        value = attention.value(hidden_states[0]).view(split).transpose(0, 1)
        dropout = attention.dropout.p if layer.training else 0.0
        context = attend_packed(query, key, value, packing, attention.scaling, dropout)
        attended = layer.attention.output(context.flatten(1), first)
        return layer.output(layer.intermediate(attended), attended)[:, None]


def read_first_tokens_only(layer: nn.Module) -> bool:
    """Make a last layer skip what only other tokens need; tell whether its structure is known."""
    try:
        for name in _PARTS:
            layer.get_submodule(name)
    except AttributeError:
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
