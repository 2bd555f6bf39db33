"""A split whose tokens lie on the device that trains on it, where its batches are put together.

What goes to a GPU at each step are the numbers of the batch's examples, in one small copy that
nobody waits for; nothing that is computed there is read back, so the host runs ahead and launches
the next step's kernels while the GPU works on this one's. Sizes are given beforehand, so that all
of it can be recorded and replayed. (A CPU reads the mapped files: `hmnet.packing.batch.pack`.)
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hmnet.data.tokens import Ints, SplitData
from hmnet.packing.batch import Batch, Bucket, Packing
from hmnet.packing.batch_shape import BatchShape

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
        return Batch(
            tokens=tokens.long()[None],
            positions=positions[None],
            segments=segments.long()[None],
            packing=Packing((), starts, _pad(shape, lengths, starts, owner, positions, is_filler)),
            labels=self._labels[chosen],
            index=_UNKNOWN,
            chosen=chosen,
        )


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
