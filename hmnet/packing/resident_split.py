"""A split whose tokens lie on the device that trains on it, where its batches are put together.

What goes to a GPU at each step are the numbers of the batch's examples, in one small copy that
nobody waits for; nothing that is computed there is read back, so the host runs ahead and launches
the next step's kernels while the GPU works on this one's. Sizes are given beforehand, so that all
of it can be recorded and replayed. (A CPU reads the mapped files: `hmnet.packing.batch.pack`.)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hmnet.data.tokens import Ints, SplitData
from hmnet.packing.batch import Batch, Bucket, Packing
from hmnet.packing.batch_shape import BatchShape

IGNORED = -100
"""The label of what fills a batch up: torch's cross-entropy leaves it out by default."""
_UNKNOWN: Ints = np.empty(0, dtype=np.int64)


class ResidentSplit:
    """Packs batches of a split on a device.

    Args:
        split: copied there whole, 4 bytes a token.
    """

    def __init__(self, split: SplitData, device: torch.device) -> None:
        arrays = (split.tokens, split.offsets[:-1], split.lengths, split.first, split.labels)
        self._tokens, self._offsets, self._lengths, self._first, self._labels = (
            torch.tensor(array, device=device) for array in arrays
        )
        self._words: _ResidentWords | None = None
        if split.word_offsets is not None and split.places is not None:
            self._words = _ResidentWords(split.word_offsets, split.places, device)

    def pack(self, chosen: Tensor, shape: BatchShape) -> Batch:
        """Return what `hmnet.packing.batch.pack` returns, on the device and filled up to a shape.

        Args:
            chosen: numbers of the examples, on the device, the longest one last, int64 [B].

        Returns:
            A batch whose `index` is empty: the host does not know what it holds.
        """
        device = chosen.device
        lengths = self._lengths[chosen]
        ends = lengths.cumsum(0)
        starts = ends - lengths
        place = torch.arange(shape.tokens, device=device)
        owner = torch.searchsorted(ends, place, right=True)
        is_filler = owner == shape.count
        owner = owner.clamp_max(shape.count - 1)
        positions = (place - starts[owner]).masked_fill(is_filler, 0)
        tokens = self._tokens[self._offsets[chosen][owner] + positions]
        segments = positions >= self._first[chosen][owner]
        words = places = None
        labels = self._labels[chosen] if self._words is None else self._labels[:0]
        if self._words is not None:
            words, places, is_none = self._words.find(chosen, starts, shape.words)
            labels = self._labels[words].masked_fill(is_none, IGNORED)
        return Batch(
            tokens=tokens.long()[None],
            positions=positions[None],
            segments=segments.long()[None],
            packing=Packing((), starts, _pad(shape, lengths, starts, owner, positions, is_filler)),
            labels=labels,
            index=_UNKNOWN,
            chosen=chosen,
            words=words,
            places=places,
        )


class _ResidentWords:
    """The words of a split that a model sees, on the device.

    Args:
        offsets, places: as in `SplitData`.
    """

    def __init__(self, offsets: Ints, places: npt.NDArray[np.int32], device: torch.device) -> None:
        seen = np.flatnonzero(places >= 0)
        begins = np.searchsorted(seen, offsets)
        self._numbers = torch.tensor(np.append(seen, 0), device=device)
        self._places = torch.tensor(np.append(places[seen], 0), device=device).long()
        self._begins = torch.tensor(begins[:-1], device=device)
        self._counts = torch.tensor(np.diff(begins), device=device)

    def find(self, chosen: Tensor, starts: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return numbers and places in the row of the words of some examples, and what is filler.

        Args:
            chosen: numbers of the examples, int64 [B].
            starts: where each lies in the row, int64 [B].
            size: words, filler included (U).
        """
        counts = self._counts[chosen]
        ends = counts.cumsum(0)
        place = torch.arange(size, device=chosen.device)
        owner = torch.searchsorted(ends, place, right=True)
        is_filler = owner == len(chosen)
        owner = owner.clamp_max(len(chosen) - 1)
        at = (self._begins[chosen] - (ends - counts))[owner] + place
        at = at.masked_fill(is_filler, 0)
        places = (starts[owner] + self._places[at]).masked_fill(is_filler, 0)
        return self._numbers[at].masked_fill(is_filler, 0), places, is_filler


def _pad(
    shape: BatchShape,
    lengths: Tensor,
    starts: Tensor,
    owner: Tensor,
    positions: Tensor,
    is_filler: Tensor,
) -> Bucket:
    """Return all sequences as one bucket; filler lies at the last place, which is padding."""
    place = torch.arange(shape.length, device=lengths.device)
    padding = place >= lengths[:, None]  # [B, L]
    filled = owner * shape.length + positions
    return Bucket(
        begin=0,
        end=shape.tokens,
        count=shape.count,
        length=shape.length,
        take=(starts[:, None] + place).masked_fill(padding, 0).flatten(),
        filled=filled.masked_fill(is_filler, shape.count * shape.length - 1),
        padding=padding[:, None],
    )
