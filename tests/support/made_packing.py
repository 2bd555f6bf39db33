"""Packings of given lengths, and the size of the attention that they are tried on."""

from __future__ import annotations

import torch

from hmnet.packing.batch import Packing

HEADS, WIDTH = 2, 4


def make_packing(lengths: list[int]) -> Packing:
    lengths = sorted(lengths)
    starts = torch.tensor([sum(lengths[:i]) for i in range(len(lengths))])
    return Packing(tuple(lengths), starts)
