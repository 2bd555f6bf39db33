"""The feed-forward block of a layer: two linear maps with an activation between them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from hmnet.encoders.load import Encoder
from hmnet.errors import InputError


@dataclass(frozen=True)
class FeedForward:
    """Names of the block's parts, relative to the layer.

    Attributes:
        up: the linear map into the wide space; an elementwise activation follows.
        down: the linear map back.
        dropout: applied to its result, before the residual connection.
    """

    up: str
    down: str
    dropout: str


_KNOWN = (
    # BERT, RoBERTa, XLM-R, ELECTRA, CamemBERT, MPNet, DeBERTa
    FeedForward("intermediate.dense", "output.dense", "output.dropout"),
    # DistilBERT
    FeedForward("ffn.lin1", "ffn.lin2", "ffn.dropout"),
)


def find_feed_forward(encoder: Encoder) -> FeedForward:
    """Return where the layers' feed-forward blocks are.

    Raises:
        InputError: if the architecture's layers have another structure.
    """
    names = {name for name, _ in encoder.layers[0].named_modules()}
    for block in _KNOWN:
        if {block.up, block.down, block.dropout} <= names:
            return block
    kind = encoder.model.config.model_type  # type: ignore[union-attr]
    raise InputError(
        "Parameter `model` should be an encoder with BERT's or DistilBERT's feed-forward blocks "
        f"where these are duplicated. Found architecture `{kind}`."
    )


def list_feed_forward(encoder: Encoder, layer: nn.Module) -> list[nn.Module]:
    """Return the two linear maps of a layer's feed-forward block."""
    block = find_feed_forward(encoder)
    return [layer.get_submodule(block.up), layer.get_submodule(block.down)]
