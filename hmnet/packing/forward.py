"""A batch through a stock classifier of sequences or tokens: packed where it is exact, else padded.

Legend: B sequences, M tokens in all, L tokens of the longest, U answers: sequences, or the words of
a classifier of tokens; C outputs.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from hmnet.data.tokens import SplitData
from hmnet.packing.batch import Batch, Bucket, pack, packed

ROW_TOKENS = 32
"""Packed rows are filled up to a multiple of this: a CPU's matrix library compiles a product for
each shape that it meets, and keeps it, a fifth of a sweep's time and a gigabyte a worker."""

_TOLERANCE = 2e-5


def compute_logits(model: nn.Module, batch: Batch, *, is_packable: bool) -> Tensor:
    """Return the classifier's outputs for a batch, shape [U, C], rows as in `batch.labels`."""
    return _run_packed(model, batch) if is_packable else _run_padded(model, batch)


def reads_words(model: nn.Module) -> bool:
    """Tell whether a stock model classifies tokens, so that words are read from its outputs."""
    return any(kind.__name__.endswith("ForTokenClassification") for kind in type(model).__mro__)


def _pick(outputs: Tensor, places: Tensor | None) -> Tensor:
    """Return the outputs at some places of all tokens, [U, C]; at all of them for None."""
    flat = outputs.flatten(0, 1)
    return flat if places is None else flat.index_select(0, places)


def _run_packed(model: nn.Module, batch: Batch) -> Tensor:
    inputs = {
        "input_ids": _fill_up(batch.tokens),
        "position_ids": _fill_up(batch.positions) + find_position_offset(model),
        "token_type_ids": _fill_up(batch.segments),
    }
    with packed(batch.packing, whole=reads_words(model)):
        outputs: Tensor = model(**_accepted(model, inputs)).logits
    return _pick(outputs, batch.places) if reads_words(model) else outputs


def _run_padded(model: nn.Module, batch: Batch) -> Tensor:
    bucket = batch.packing.whole
    pad = int(model.config.pad_token_id or 0)  # type: ignore[union-attr, arg-type]
    tokens = _spread(batch.tokens, bucket, pad)
    inside = torch.ones_like(tokens)
    if bucket.padding is not None:
        inside = inside.masked_fill(bucket.padding[:, 0], 0)
    inputs = {
        "input_ids": tokens,
        "token_type_ids": _spread(batch.segments, bucket, 0),
        "attention_mask": inside,
    }
    outputs: Tensor = model(**_accepted(model, inputs)).logits
    if not reads_words(model):
        return outputs
    places = batch.places
    if places is not None and bucket.filled is not None:
        places = bucket.filled[places]
    return _pick(outputs, places)


def _fill_up(row: Tensor) -> Tensor:
    """Return a packed row, [1, M], with its first token repeated up to a multiple of `ROW_TOKENS`.

    No sequence attends to what follows the last one, and no output reads it.
    """
    rest = -row.shape[1] % ROW_TOKENS
    return torch.cat([row, row[:, :1].expand(1, rest)], dim=1) if rest else row


def _spread(row: Tensor, bucket: Bucket, fill: int) -> Tensor:
    """Spread a packed row [1, M] over a padded matrix [B, L]."""
    if bucket.take is None or bucket.padding is None:
        return row[0, : bucket.end].view(bucket.count, bucket.length)
    spread = row[0].index_select(0, bucket.take).view(bucket.count, bucket.length)
    return spread.masked_fill(bucket.padding[:, 0], fill)


def _accepted(model: nn.Module, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keep the inputs that the architecture takes (DistilBERT has no segments)."""
    known = inspect.signature(model.forward).parameters
    kept = {name: value for name, value in inputs.items() if name in known}
    if not takes_segments(model):
        kept.pop("token_type_ids", None)
    return kept


def takes_segments(model: nn.Module) -> bool:
    """Tell whether an architecture tells two segments of a sequence apart."""
    has_kinds = (getattr(model.config, "type_vocab_size", 0) or 0) >= 2
    return has_kinds and "token_type_ids" in inspect.signature(model.forward).parameters


def find_position_offset(model: nn.Module) -> int:
    """Return the position of a sequence's first token (RoBERTa's start after the padding id)."""
    for module in model.modules():
        table = getattr(module, "position_embeddings", None)
        if isinstance(table, nn.Embedding):
            return 0 if table.padding_idx is None else table.padding_idx + 1
    return 0


def packs_exactly(model: nn.Module) -> bool:
    """Tell whether a packed pass gives what padded passes of one sequence give.

    Checked by running both on a few made sequences, one of them longer than any local
    attention window, so that no architecture is trusted by its name.
    """
    lengths = [5, 5, 9, *_window_lengths(model)]
    split = _make_split(model, lengths)
    batch = pack(split, range(len(lengths)))
    with torch.no_grad():
        together = _run_packed(model, batch)
        apart = [_run_padded(model, pack(split, [int(i)])) for i in batch.index]
    if together.shape != (len(batch.labels), apart[0].shape[-1]):
        return False
    return bool(torch.allclose(together, torch.cat(apart), atol=_TOLERANCE))


def runs_padded(model: nn.Module) -> bool:
    """Tell whether a padded pass gives what passes of one sequence give; it may raise anything."""
    lengths = [5, 9, 12]
    split = _make_split(model, lengths)
    batch = pack(split, range(len(lengths)))
    with torch.no_grad():
        together = _run_padded(model, batch)
        apart = [_run_padded(model, pack(split, [int(i)])) for i in batch.index]
    if together.shape != (len(batch.labels), apart[0].shape[-1]):
        return False
    return bool(torch.allclose(together, torch.cat(apart), atol=_TOLERANCE))


def _window_lengths(model: nn.Module) -> list[int]:
    config = model.config
    window = getattr(config, "sliding_window", None) or getattr(config, "local_attention", None)
    return [int(window) + 37] if window else []


def _make_split(model: nn.Module, lengths: Sequence[int]) -> SplitData:
    """Made sequences of the given lengths, for a check of the forward pass.

    For a classifier of tokens each token is a word.
    """
    vocab_size = int(model.config.vocab_size)  # type: ignore[union-attr, arg-type]
    total, count = sum(lengths), len(lengths)
    tokens = np.random.default_rng(0).integers(vocab_size // 2, vocab_size, total)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    plain = SplitData(
        tokens=tokens.astype(np.int32),
        offsets=offsets,
        first=np.asarray(lengths, dtype=np.int32) // 2,
        labels=np.zeros(count, dtype=np.int64),
        rows=np.arange(count),
        questions=np.full(count, -1),
    )
    if not reads_words(model):
        return plain
    places = np.concatenate([np.arange(length) for length in lengths]).astype(np.int32)
    labels = np.zeros(total, dtype=np.int64)
    return replace(plain, labels=labels, word_offsets=offsets, places=places)
