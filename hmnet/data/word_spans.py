"""Words of rows: where each lies in its row's text, and flat arrays of one entry a word.

Legend: N rows, W words of all rows, one row after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Words:
    """The words of N rows.

    Attributes:
        offsets: row i has the words `offsets[i]` to `offsets[i + 1] - 1`, int64 [N + 1].
        starts, ends: the characters of each word in the row's text, int64 [W].
    """

    offsets: Index
    starts: Index
    ends: Index

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def counts(self) -> Index:
        """Words of each row, [N]."""
        return np.diff(self.offsets)

    def find(self, index: Index) -> Index:
        """Return the numbers of the words of the rows `index`, in their order."""
        return index_spans(self.offsets[index], self.counts[index])

    def select(self, index: Index) -> Words:
        """Return the words of the rows `index`, [n]."""
        chosen = self.find(index)
        return Words(make_offsets(self.counts[index]), self.starts[chosen], self.ends[chosen])


def make_offsets(counts: Index) -> Index:
    """Return where each of some spans begins that lie one after the other, and where they end.

    >>> make_offsets(np.array([2, 0, 1])).tolist()
    [0, 2, 2, 3]
    """
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def index_spans(begins: Index, sizes: Index) -> Index:
    """Return the positions begin, begin + 1, ... of each span, one span after the other.

    >>> index_spans(np.array([7, 0]), np.array([2, 3])).tolist()
    [7, 8, 0, 1, 2]
    """
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    index: Index = np.arange(total) + np.repeat(begins - (ends - sizes), sizes)
    return index
