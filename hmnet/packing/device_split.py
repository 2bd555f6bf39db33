"""A split whose tokens lie on the device that trains on it, where its batches are put together.

What goes to a GPU at each step are the numbers and lengths of the batch's examples, in one small
copy that nobody waits for; nothing that is computed there is read back, so the host runs ahead and
launches the next step's kernels while the GPU works on this one's. (A CPU reads the mapped files:
`hmnet.packing.batch.pack`.)
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hmnet.data.tokens import Ints, SplitData
from hmnet.packing.batch import Batch, Packing, sort_by_length


class ResidentSplit:
    """Packs batches of a split on a device.

    Args:
        split: copied there whole, 4 bytes a token.
    """

    def __init__(self, split: SplitData, device: torch.device) -> None:
        self._split = split
        arrays = (split.tokens, split.offsets[:-1], split.first, split.labels)
        self._tokens, self._offsets, self._first, self._labels = (
            torch.tensor(array, device=device) for array in arrays
        )

    def pack(self, index: Ints) -> Batch:
        """Return what `hmnet.packing.batch.pack` returns, on the device."""
        index, lengths = sort_by_length(self._split, index)
        device, total = self._tokens.device, int(lengths.sum())
        chosen, sizes = torch.from_numpy(np.stack([index, lengths])).to(device, non_blocking=True)

        def spread(values: Tensor) -> Tensor:
            """Repeat each example's value for its tokens; the size, known here, is not asked."""
            return values.repeat_interleave(sizes, output_size=total)

        starts = sizes.cumsum(0) - sizes
        positions = torch.arange(total, device=device) - spread(starts)
        tokens = self._tokens[spread(self._offsets[chosen]) + positions]
        segments = positions >= spread(self._first[chosen])
        return Batch(
            tokens=tokens.long()[None],
            positions=positions[None],
            segments=segments.long()[None],
            packing=Packing(tuple(lengths.tolist()), starts),
            labels=self._labels[chosen],
            index=index,
        )
