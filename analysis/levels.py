"""The levels at which everything is said, and the interval of draws: one home for each.

>>> import numpy as np
>>> low, high = take_interval(np.arange(101.0))
>>> round(float(low), 6), round(float(high), 6)
(2.5, 97.5)
"""

from __future__ import annotations

import numpy as np

from analysis.arrays import Floats

SIGNIFICANCE = 0.05
"""Level of a test, and the false discovery rate at which a gain counts as beyond noise."""
INTERVAL_LEVEL = 0.95
"""Share of the draws that an interval holds."""
DRAWS = 1000
"""Bootstrap draws behind an interval."""


def take_interval(draws: Floats, level: float = INTERVAL_LEVEL) -> tuple[Floats, Floats]:
    """Return the percentiles between which a share of the draws lies, each of shape [...].

    Args:
        draws: shape [B, ...]; a NaN among the draws of a value makes both of its ends NaN.
        level: the share.
    """
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return low, high
