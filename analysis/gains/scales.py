"""A gain of joint over single fine-tuning from two scores, on each scale (equation 4).

>>> float(compute_gains(0.84, 0.8).round(6))     # (0.84 - 0.8) / 0.8
0.05
>>> float(compute_gains(0.84, 0.8, "headroom").round(6))     # of the 0.2 that were left to gain
0.2
>>> float(compute_gains(0.1, 0.0))     # nothing to be relative to
nan
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


def compute_gains(joint: npt.ArrayLike, single: npt.ArrayLike, scale: Scale = "relative") -> Floats:
    """Return the gains of joint over single scores, cell by cell, of any shapes that broadcast.

    NaN where a score is, and where what the gain is relative to is not positive.

    Raises:
        InputError: for an unknown scale.
    """
    if scale not in SCALES:
        raise InputError(f"Parameter `scale` should be one of {list(SCALES)}. Found `{scale}`.")
    alone = np.asarray(single, dtype=np.float64)
    difference = np.asarray(joint, dtype=np.float64) - alone
    if scale == "points":
        return difference
    base = np.broadcast_to(alone if scale == "relative" else 1 - alone, difference.shape)
    unknown = np.full_like(difference, np.nan)
    gains: Floats = np.divide(difference, base, out=unknown, where=base > 0)
    return gains
