"""Rank correlation where it may have no value.

>>> import numpy as np
>>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0]))
0.5
>>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.zeros(3))
nan
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from analysis.arrays import Floats


def rank_correlation(one: Floats, other: Floats) -> float:
    """Return Spearman's correlation, NaN for fewer than three or only equal values."""
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(stats.spearmanr(one, other).statistic)
