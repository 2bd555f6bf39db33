"""Which targets a gain can be read for: those whose single runs beat naming the majority class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pandas as pd

from analysis.gains.bootstrap import GainBootstrap
from analysis.levels import INTERVAL_LEVEL, take_interval
from analysis.scores.baselines import has_learned, measure_majority
from analysis.scores.predictions import Predictions

Beats = Literal["yes", "not shown", "no"]


def compare_with_majority(
    predictions: Mapping[str, Predictions], found: GainBootstrap, level: float = INTERVAL_LEVEL
) -> pd.DataFrame:
    """Return a row per target: does its single run beat the best constant answer?

    Columns: `task`, `single`, `majority`, `single_low` (lower end of the interval of the single
    score) and `beats`: `no` where the mean does not, `not shown` where the interval reaches down
    to it, else `yes`. Gains of a target with `no` are undefined in practice: there was nothing
    learned to gain on.
    """
    low, _ = take_interval(found.single_draws, level)
    rows = [
        (task, single, majority, bound, _compare(single, majority, bound))
        for task, single, bound in zip(found.tasks, found.single, low, strict=True)
        for majority in [measure_majority(predictions[task])]
    ]
    columns = ["task", "single", "majority", "single_low", "beats"]
    return pd.DataFrame(rows, columns=columns)


def _compare(single: float, majority: float, low: float) -> Beats:
    if not has_learned(single, majority):
        return "no"
    return "yes" if low > majority else "not shown"
