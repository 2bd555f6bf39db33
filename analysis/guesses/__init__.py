"""Guesses of gains: what a cheap measure is worth, judged by gains that were measured.

>>> import numpy as np
>>> from analysis.guesses import correlate_sources, expect_regret
>>> gains = np.array([[0.0, 0.1, 0.0, 0.2], [0.2, 0.0, 0.1, 0.3], [0.1, 0.2, 0.0, 0.1]])
>>> gains = np.vstack([gains, [0.0, 0.3, 0.2, 0.0]])
>>> correlate_sources(gains, gains[None])
array([[1., 1., 1., 1.]])
>>> expect_regret(np.zeros((4, 4)), gains[None], k=1).round(2)     # a random source of each
array([[0.1, 0.1, 0.1, 0.1]])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.guesses.balanced_blocks import count_meetings, draw_blocks
    from analysis.guesses.gain_model import Additivity, GainModel, Observation
    from analysis.guesses.worth import (
        correlate_sources,
        expect_regret,
        fill_unknown,
        gain_in_groups,
        gain_in_random_groups,
        group_by_guess,
    )
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "Additivity",
    "GainModel",
    "Observation",
    "correlate_sources",
    "count_meetings",
    "draw_blocks",
    "expect_regret",
    "fill_unknown",
    "gain_in_groups",
    "gain_in_random_groups",
    "group_by_guess",
]
