"""Watching the attention of a model: the queries and keys of every layer, as they are computed.

A model that is watched runs packed batches with an attention function of its own, which hands each
layer's queries and keys to an observer and attends as always. The last layer's are computed for
all tokens, since its whole map is needed (`hmnet.packing.first_token` is undone); what follows the
last attention has no map, and is not run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Unpack

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface

from hmnet.encoders.layers import find_layers
from hmnet.encoders.quiet import quiet
from hmnet.errors import InputError
from hmnet.packing.attention import (
    ATTENTION,
    AttentionKeywords,
    AttentionOptions,
    attend,
    make_window_mask,
)
from hmnet.packing.batch import Batch, Packing
from hmnet.packing.first_token import read_every_token
from hmnet.packing.forward import compute_logits

WATCHED = "packed-watched"


@dataclass(frozen=True)
class Heads:
    """What attention maps are computed from. Legend: H heads, M tokens of a batch, D width.

    Attributes:
        query, key: shape [H, M, D].
        scale: factor of their products.
        window: tokens attend to those at a smaller distance; None for all.
    """

    query: Tensor
    key: Tensor
    scale: float
    window: int | None

    def maps(self, start: int, count: int, length: int) -> Tensor:
        """Return the maps of `count` sequences of one length from token `start` on.

        Returns:
            Shape [H, count, length, length]; rows sum to 1.
        """
        tokens = slice(start, start + count * length)
        each = (count, length)
        query = self.query[:, tokens].unflatten(1, each)
        key = self.key[:, tokens].unflatten(1, each)
        scores = (query @ key.transpose(-1, -2)) * self.scale
        mask = make_window_mask(length, self.window, query)
        maps: Tensor = (scores if mask is None else scores + mask).softmax(-1)
        return maps


Observer = Callable[[Heads], None]
_OBSERVER: ContextVar[Observer | None] = ContextVar("observer", default=None)


def watch(path: nn.Module) -> None:
    """Prepare a path, a stock model, for `observe`.

    Raises:
        InputError: if the architecture does not let its attention be replaced.
    """
    try:
        with quiet():
            path.set_attn_implementation(WATCHED)  # type: ignore[operator]
    except (ValueError, NotImplementedError, AttributeError):
        raise _cannot_watch(path) from None
    if path.config._attn_implementation != WATCHED:  # type: ignore[union-attr]
        raise _cannot_watch(path)
    for module in path.modules():  # layers that paths share have a configuration of their own
        if getattr(module, "config", None) is not None:
            module.config._attn_implementation = WATCHED  # type: ignore[union-attr]
    read_every_token(find_layers(path)[-1])


def _cannot_watch(path: nn.Module) -> InputError:
    kind = path.config.model_type  # type: ignore[union-attr]
    return InputError(
        "Parameter `model` should be an encoder whose attention can be watched, such as BERT, "
        f"RoBERTa or DistilBERT. Found architecture `{kind}`."
    )


class _AllSeen(Exception):  # noqa: N818 (a signal)
    """The last layer's heads have been observed."""


@torch.inference_mode()
def observe(path: nn.Module, batch: Batch, observer: Observer) -> None:
    """Run a watched path on a batch; call `observer` with each layer's heads, bottom first."""
    left = len(find_layers(path))

    def count(heads: Heads) -> None:
        nonlocal left
        observer(heads)
        left -= 1
        if left == 0:
            raise _AllSeen

    with _observed_by(count), contextlib.suppress(_AllSeen):
        compute_logits(path, batch, is_packable=True)


@contextmanager
def _observed_by(observer: Observer) -> Iterator[None]:
    token = _OBSERVER.set(observer)
    try:
        yield
    finally:
        _OBSERVER.reset(token)


def _attend_watched(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **keywords: Unpack[AttentionKeywords],
) -> tuple[Tensor, None]:
    observer = _OBSERVER.get()
    if observer is not None:
        options = AttentionOptions.read(keywords, query.shape[-1])
        observer(Heads(query[0], key[0], options.scale, options.window))
    return attend(module, query, key, value, attention_mask, **keywords)


AttentionInterface.register(WATCHED, _attend_watched)
AttentionMaskInterface.register(WATCHED, AttentionMaskInterface()[ATTENTION])


def list_spans(packing: Packing, most: int) -> Iterator[tuple[int, int, int]]:
    """Yield start, count and length of runs of equal lengths, cut to maps of about `most` cells.

    Args:
        most: cells of one head's maps at once.
    """
    start = 0
    for whole, length in packing.spans:
        step = max(1, most // (length * length))
        for done in range(0, whole, step):
            count = min(step, whole - done)
            yield start, count, length
            start += count * length
