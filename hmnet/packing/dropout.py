"""Dropout whose masks are cheap on a CPU and have the stated distribution.

`torch.nn.functional.dropout` draws one Bernoulli number at a time on a CPU. Here one 64-bit word
gives four 16-bit numbers, each compared with a threshold: the keep rate is within 2**-17 of
1 - p, independent between elements, and the scale is the reciprocal of the rate that is used, so
that expectations are exact. The words are SFC64's, which takes half the time of torch's generator.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

_LEVELS = 1 << 16
_words = np.random.SFC64(0)


def seed_dropout(seed: int) -> None:
    """Make the masks that follow a function of `seed`, on a CPU and on a GPU that is in use.

    `torch.manual_seed` would also note this call's stack for each kind of device that is not in
    use, in case it will be: a fifth of a tiny encoder's training time.
    """
    global _words
    _words = np.random.SFC64(seed)
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


def draw_keep_mask(values: Tensor, p: float) -> tuple[Tensor, float]:
    """Draw which elements are kept.

    Returns:
        Ones and zeros of the shape and type of `values` (on a CPU), and the reciprocal of the
        keep rate.
    """
    dropped = round(p * _LEVELS)
    words = _words.random_raw((values.numel() + 3) // 4)
    levels = torch.from_numpy(words.view(np.int16)[: values.numel()]).view(values.shape)
    return _mark(levels, dropped - _LEVELS // 2, values.dtype), _LEVELS / (_LEVELS - dropped)


def _mark(levels: Tensor, least: int, dtype: torch.dtype) -> Tensor:
    """Return 1 where a level is at least `least`, else 0; `levels`, int16, are used up."""
    if dtype.itemsize != levels.itemsize:
        return torch.ge(levels, least, out=torch.empty(levels.shape, dtype=dtype))
    # without a conversion between types, which takes three times as long
    one = int(torch.ones((), dtype=dtype).view(torch.int16))
    return levels.ge_(least).mul_(one).view(dtype)


def drop(values: Tensor, p: float) -> Tensor:
    """Zero each element with probability `p` and scale the others by 1 / (1 - p)."""
    if values.device.type != "cpu":
        return nn.functional.dropout(values, p)
    keep, scale = draw_keep_mask(values, p)
    return values * keep.mul_(scale)


class Dropout(nn.Dropout):
    """`nn.Dropout` with the masks of `drop`."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (the name that torch gave it)
        """Return `input` with dropout in training, as it is in evaluation."""
        return drop(input, self.p) if self.training and self.p > 0 else input


def replace_dropout(module: nn.Module) -> None:
    """Replace every `nn.Dropout` below `module` by `Dropout`, in place."""
    for name, child in module.named_children():
        if type(child) is nn.Dropout:
            setattr(module, name, Dropout(child.p))
        else:
            replace_dropout(child)
