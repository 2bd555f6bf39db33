"""The sizes that a batch on a GPU is filled up to."""

from __future__ import annotations

from dataclasses import dataclass

from hmnet.data.tokens import Ints

ROW_TOKENS, LENGTH_TOKENS = 64, 8
"""Rows and sequences are filled up to multiples of these: kernels are fastest at such sizes."""


@dataclass(frozen=True)
class BatchShape:
    """Sizes of a batch.

    Attributes:
        count: sequences (B).
        tokens: of the packed row, filler included (M).
        length: of each sequence where all are padded together (L); more than the longest has, so
            that there is a place of padding.
    """

    count: int
    tokens: int
    length: int


def fit_shape(lengths: Ints) -> BatchShape:
    """Return the smallest shape that holds one batch of sequences of these lengths, [B]."""
    return round_up(len(lengths), int(lengths.sum()), int(lengths.max()))


def round_up(count: int, tokens: int, longest: int) -> BatchShape:
    """Return the smallest shape for so many sequences, tokens in all, and tokens of the longest."""
    return BatchShape(
        count,
        tokens=-(-tokens // ROW_TOKENS) * ROW_TOKENS,
        length=-(-(longest + 1) // LENGTH_TOKENS) * LENGTH_TOKENS,
    )
