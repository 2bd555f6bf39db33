"""A batch as one row without padding, and attention on it.

>>> import numpy as np
>>> from hmnet.data import SplitData
>>> from hmnet.packing import pack
>>> split = SplitData(
...     tokens=np.array([5, 6, 7, 5, 7], np.int32),
...     offsets=np.array([0, 3, 5]),  # [5, 6, 7] and [5, 7]
...     first=np.array([3, 2], np.int32),
...     labels=np.array([1, 0]),
...     rows=np.arange(2),
...     questions=np.array([-1, -1]),
... )
>>> batch = pack(split, [0, 1])  # the shortest first
>>> batch.tokens.tolist(), batch.positions.tolist(), batch.labels.tolist()
([[5, 7, 5, 6, 7]], [[0, 1, 0, 1, 2]], [0, 1])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.packing.attention import ATTENTION, attend, make_window_mask
    from hmnet.packing.batch import Batch, Packing, keep_first_tokens, pack, sort_by_length
    from hmnet.packing.batch_shape import BatchShape, fit_shape, round_up
    from hmnet.packing.dropout import Dropout, replace_dropout, seed_dropout
    from hmnet.packing.first_token import read_every_token, read_first_tokens_only
    from hmnet.packing.forward import compute_logits, packs_exactly, runs_padded
    from hmnet.packing.resident_split import ResidentSplit
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "ATTENTION",
    "Batch",
    "BatchShape",
    "Dropout",
    "Packing",
    "ResidentSplit",
    "attend",
    "compute_logits",
    "fit_shape",
    "keep_first_tokens",
    "make_window_mask",
    "pack",
    "packs_exactly",
    "read_every_token",
    "read_first_tokens_only",
    "replace_dropout",
    "round_up",
    "runs_padded",
    "seed_dropout",
    "sort_by_length",
]
