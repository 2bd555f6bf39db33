"""Padding-free batches on stock models: one row [1, M] that holds all sequences of a batch.

- Sequences are ordered by length, so those of equal or similar length lie side by side, and their
  attention is a few dense products (`hmnet.packing.attention`), which read the lengths from the
  packing that is active around the forward pass.
- After the last layer only each sequence's first token is kept ([B, 1, width]), so poolers and
  heads see an ordinary batch of sequences of one token. `hmnet.packing.first_token` goes further.

- Heads of a kind per word read the first piece of each word: the last layer is then computed for
  every token (`packed(..., whole=True)`), and each word's output is picked from the row.

Legend: B sequences, M tokens in all, H heads, L tokens of a bucket's sequences, D width of a head,
U answers: sequences, or words that a model sees.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hmnet.data.tokens import Ints, SplitData

LayerOutput = Tensor | tuple[Tensor, ...]
"""What a layer of transformers gives: its hidden states, alone or before other tensors."""

BUCKET_TOKENS = 32
"""Sequences are padded to a multiple of this for their attention: the softmax of a CPU takes two
to four times as long over rows that its vectors do not fill."""


@dataclass(frozen=True)
class Bucket:
    """Sequences that lie side by side in the row, padded to one length for their attention.

    Attributes:
        begin, end: the tokens of the row that are theirs.
        count: number of sequences.
        length: tokens of each, padding included (L).
        take: the row's token at each place of the padded sequences, from `begin`, int64
            [count * L], any of them at places of padding; None where there is no padding.
        filled: the place of each of the row's tokens, int64 [end - begin], one of padding for what
            follows the last sequence; None where there is no padding.
        padding: the other places, bool [count, 1, L]; None where there are none.
    """

    begin: int
    end: int
    count: int
    length: int
    take: Tensor | None = None
    filled: Tensor | None = None
    padding: Tensor | None = None

    def gather(self, row: Tensor) -> Tensor:
        """Copy the bucket's part of a row, [M, H, D], into sequences, [count * H, L, D]."""
        part = row[self.begin : self.end]
        if self.take is not None:
            part = part.flatten(1).index_select(0, self.take).unflatten(1, part.shape[1:])
        parts = part.unflatten(0, (self.count, self.length)).transpose(1, 2)
        return parts.clone(memory_format=torch.contiguous_format).flatten(0, 1)

    def scatter(self, sequences: Tensor, row: Tensor) -> None:
        """Copy sequences, [count * H, L, D], to their place in a row, [M, H, D], in place."""
        part = sequences.unflatten(0, (self.count, -1)).transpose(1, 2).flatten(0, 1)
        if self.filled is not None:
            part = part.flatten(1).index_select(0, self.filled).unflatten(1, part.shape[1:])
        row[self.begin : self.end] = part


def _make_bucket(
    begin: int,
    lengths: Ints,
    length: int,
    device: torch.device,
) -> Bucket:
    """Return the bucket of sequences of these lengths, padded to `length`.

    Made on the device, where nothing is read back.
    """
    count, size = len(lengths), int(lengths.sum())
    if size == count * length:
        return Bucket(begin, begin + size, count, length)
    sizes = torch.from_numpy(lengths).to(device, non_blocking=True)
    starts = sizes.cumsum(0) - sizes
    place = torch.arange(length, device=device)
    padding = place >= sizes[:, None]
    skipped = torch.arange(count, device=device) * length - starts  # places before each, unfilled
    return Bucket(
        begin,
        begin + size,
        count,
        length,
        take=(starts[:, None] + place).masked_fill_(padding, 0).flatten(),
        filled=torch.arange(size, device=device)
        + skipped.repeat_interleave(sizes, output_size=size),
        padding=padding[:, None],
    )


@dataclass(frozen=True)
class Packing:
    """Lengths of the sequences of a packed row, ascending.

    Attributes:
        lengths: tokens of each sequence, [B]; empty where the device alone knows them.
        starts: position of each sequence's first token in the row, int64 [B].
        padded: all sequences as one bucket, where it was made together with the row.
    """

    lengths: tuple[int, ...]
    starts: Tensor
    padded: Bucket | None = None

    @property
    def is_padded_together(self) -> bool:
        """Whether attention pads all sequences to one length: on a GPU, a launch costs more."""
        return self.padded is not None or self.starts.device.type != "cpu"

    def count_tokens(self) -> int | Tensor:
        """Return the tokens of all sequences, on the device where only it knows them."""
        if self.padded is None or self.padded.padding is None:
            return sum(self.lengths)
        return (~self.padded.padding).sum()

    @functools.cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Number of sequences and length of each run of equal lengths."""
        runs = itertools.groupby(self.lengths)
        return [(sum(1 for _ in run), length) for length, run in runs]

    @functools.cached_property
    def buckets(self) -> list[Bucket]:
        """The sequences by their length, rounded up to a multiple of `BUCKET_TOKENS`."""
        buckets, begin = [], 0
        for steps, run in itertools.groupby(self.lengths, lambda n: -(-n // BUCKET_TOKENS)):
            lengths = np.fromiter(run, dtype=np.int64)
            length = steps * BUCKET_TOKENS
            buckets.append(_make_bucket(begin, lengths, length, self.starts.device))
            begin += int(lengths.sum())
        return buckets

    @functools.cached_property
    def whole(self) -> Bucket:
        """All sequences as one bucket, padded to the longest or beyond."""
        if self.padded is not None:
            return self.padded
        lengths = np.array(self.lengths, dtype=np.int64)
        return _make_bucket(0, lengths, int(lengths.max()), self.starts.device)


@dataclass(frozen=True)
class Batch:
    """A packed mini-batch of one task.

    Attributes:
        tokens, positions, segments: int64 [1, M].
        packing: where each sequence lies.
        labels: int64 or float32 [U].
        index: the examples' numbers in their split, in the order of the row, int64 [B].
        chosen: the same, where only the device knows them.
        words: the words' numbers in their split, in the order of the row, int64 [U]; None where
            sequences have one label each, as the next.
        places: where in the row the first piece of each word lies, int64 [U].
    """

    tokens: Tensor
    positions: Tensor
    segments: Tensor
    packing: Packing
    labels: Tensor
    index: Ints
    chosen: Tensor | None = None
    words: Tensor | None = None
    places: Tensor | None = None

    @property
    def answers(self) -> Tensor:
        """The numbers in their split of what the labels belong to, on the device, int64 [U]."""
        if self.words is not None:
            return self.words
        if self.chosen is not None:
            return self.chosen
        return torch.from_numpy(self.index).to(self.labels.device)

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
            words=None if self.words is None else self.words.to(device, non_blocking=True),
            places=None if self.places is None else self.places.to(device, non_blocking=True),
        )


def sort_by_length(split: SplitData, index: Sequence[int] | Ints) -> tuple[Ints, Ints]:
    """Return the examples `index` of a split, the shortest first, and their lengths."""
    index = np.asarray(index, dtype=np.int64)
    lengths = split.offsets[index + 1] - split.offsets[index]
    order = np.argsort(lengths, kind="stable")
    return index[order], lengths[order]


def pack(split: SplitData, index: Sequence[int] | Ints) -> Batch:
    """Pack the examples `index` of a split into one row, ordered by length."""
    index, lengths = sort_by_length(split, index)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    positions = np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
    where = np.repeat(split.offsets[index], lengths) + positions
    segments = positions >= np.repeat(split.first[index], lengths)
    words = places = None
    if split.word_offsets is not None and split.places is not None:
        words, places = _find_words(split, index, starts)
    labels = split.labels[index] if words is None else split.labels[words]
    return Batch(
        tokens=torch.from_numpy(split.tokens[where].astype(np.int64))[None],
        positions=torch.from_numpy(positions)[None],
        segments=torch.from_numpy(segments.astype(np.int64))[None],
        packing=Packing(tuple(lengths.tolist()), torch.from_numpy(starts)),
        labels=torch.from_numpy(np.asarray(labels)),
        index=index,
        words=None if words is None else torch.from_numpy(words),
        places=None if places is None else torch.from_numpy(places),
    )


def _find_words(split: SplitData, index: Ints, starts: Ints) -> tuple[Ints, Ints]:
    """Return number and place in the row of each word that a model sees, [U]."""
    offsets, places = split.word_offsets, split.places
    if offsets is None or places is None:
        raise TypeError("a split without words")
    words = split.find_words(index)
    owner = np.repeat(starts, offsets[index + 1] - offsets[index])
    own = places[words].astype(np.int64)
    is_seen = own >= 0
    return words[is_seen], (owner + own)[is_seen]


_ACTIVE: ContextVar[Packing | None] = ContextVar("packing", default=None)
_WHOLE: ContextVar[bool] = ContextVar("whole", default=False)


@contextmanager
def packed(packing: Packing | None, *, whole: bool = False) -> Iterator[None]:
    """Let attention functions and pooling hooks read `packing` while the context lasts.

    Args:
        whole: the last layer gives every token, in place of each sequence's first.
    """
    token, mode = _ACTIVE.set(packing), _WHOLE.set(whole)
    try:
        yield
    finally:
        _ACTIVE.reset(token)
        _WHOLE.reset(mode)


def get_active_packing() -> Packing | None:
    """Return the packing of the forward pass that is under way."""
    return _ACTIVE.get()


def get_first_token_packing() -> Packing | None:
    """Return the same, where the last layer is asked for first tokens alone."""
    return None if _WHOLE.get() else _ACTIVE.get()


def keep_first_tokens(module: nn.Module, args: object, output: LayerOutput) -> LayerOutput | None:
    """Forward hook of the last layer: keep each sequence's first token, [B, 1, width]."""
    packing = get_first_token_packing()
    if packing is None:
        return None
    hidden = output[0] if isinstance(output, tuple) else output
    if hidden.shape[1] == 1:
        return None
    first = hidden[0, packing.starts][:, None]
    return (first, *output[1:]) if isinstance(output, tuple) else first
