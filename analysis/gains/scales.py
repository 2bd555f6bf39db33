"""A gain of joint over single fine-tuning from two scores, on each scale (equation 4).

>>> float(compute_gains(0.84, 0.8).round(6))     # (0.84 - 0.8) / 0.8
0.05
>>> float(compute_gains(0.84, 0.8, "headroom").round(6))     # of the 0.2 that were left to gain
0.2
>>> float(compute_gains(0.1, 0.0))     # nothing to be relative to
nan
>>> float(compute_gains(-0.3, -0.4, is_error=True).round(6))     # an error that fell: 0.1 / 0.4
0.25
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from analysis.arrays import Floats
from hmnet.errors import InputError

Scale: TypeAlias = Literal["relative", "points", "headroom"]

SCALES: Mapping[str, str] = {
    "relative": "(joint - single) / single, equation 4",
    "points": "joint - single",
    "headroom": "(joint - single) / (1 - single)",
}
"""Scores are such that more is better: an error counts as its negative. Its gain is relative to the
error itself; it has no bound from which a headroom could be measured."""


def compute_gains(
    joint: npt.ArrayLike,
    single: npt.ArrayLike,
    scale: Scale = "relative",
    *,
    is_error: npt.ArrayLike = False,
) -> Floats:
    """Return the gains of joint over single scores, cell by cell, of any shapes that broadcast.

    NaN where a score is, where what the gain is relative to is not positive, and for the headroom
    of an error.

    Args:
        is_error: where scores are the negatives of errors.

    Raises:
        InputError: for an unknown scale.
    """
    if scale not in SCALES:
        raise InputError(f"Parameter `scale` should be one of {list(SCALES)}. Found `{scale}`.")
    alone = np.asarray(single, dtype=np.float64)
    difference = np.asarray(joint, dtype=np.float64) - alone
    if scale == "points":
        return difference
    if scale == "relative":
        known = np.where(is_error, -alone, alone)
    else:
        known = np.where(is_error, np.nan, 1 - alone)
    base = np.broadcast_to(known, difference.shape)
    unknown = np.full_like(difference, np.nan)
    gains: Floats = np.divide(difference, base, out=unknown, where=base > 0)
    return gains
