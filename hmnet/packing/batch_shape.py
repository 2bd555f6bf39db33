"""The sizes that a batch on a GPU is filled up to."""

from __future__ import annotations

from dataclasses import dataclass

from hmnet.data.tokens import Ints

ROW_TOKENS, LENGTH_TOKENS, WORDS = 64, 8, 16
"""Rows, sequences and words are filled up to multiples of these, where kernels are fastest."""


@dataclass(frozen=True)
class BatchShape:
    """Sizes of a batch.

    Attributes:
        count: sequences (B).
        tokens: of the packed row, filler included (M).
        length: of each sequence where all are padded together (L); more than the longest has, so
            that there is a place of padding.
        words: whose outputs are read, filler included (U); 0 where sequences have one label each.
    """

    count: int
    tokens: int
    length: int
    words: int = 0


def fit_shape(lengths: Ints, words: int = 0) -> BatchShape:
    """Return the smallest shape that holds one batch of sequences of these lengths, [B].

    Args:
        words: whose outputs are read.
    """
    return round_up(len(lengths), int(lengths.sum()), int(lengths.max()), words)


def round_up(count: int, tokens: int, longest: int, words: int = 0) -> BatchShape:
    """Return the smallest shape for so many sequences, tokens in all, and tokens of the longest."""
    return BatchShape(
        count,
        tokens=-(-tokens // ROW_TOKENS) * ROW_TOKENS,
        length=-(-(longest + 1) // LENGTH_TOKENS) * LENGTH_TOKENS,
        words=-(-words // WORDS) * WORDS,
    )
