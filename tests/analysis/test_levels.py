"""One interval, one gain: against numpy's percentiles and the equation's own values."""

from __future__ import annotations

import numpy as np
import pytest
from made_predictions import make_sweep

from analysis.gains.bootstrap import MOST_UNDEFINED, bootstrap_gains
from analysis.gains.scales import SCALES, Scale, compute_gains
from analysis.levels import take_interval
from hmnet.errors import InputError


def test_an_interval_holds_its_share_of_the_draws() -> None:
    draws = np.random.default_rng(0).normal(size=(4000, 3))
    low, high = take_interval(draws, 0.9)
    inside = ((draws > low) & (draws < high)).mean(axis=0)
    assert inside == pytest.approx(np.full(3, 0.9), abs=0.001)


@pytest.mark.parametrize(
    ("scale", "gain"),
    # single 0.8, joint 0.9: 0.1 points, an eighth of 0.8, half of the 0.2 that were left
    [("points", 0.1), ("relative", 0.125), ("headroom", 0.5)],
)
def test_a_gain_by_hand(scale: Scale, gain: float) -> None:
    assert float(compute_gains(0.9, 0.8, scale)) == pytest.approx(gain)


@pytest.mark.parametrize(("joint", "single"), [(0.1, 0.0), (0.1, -0.2), (np.nan, 0.5)])
def test_nothing_is_gained_on_nothing(joint: float, single: float) -> None:
    assert np.isnan(compute_gains(joint, single))


def test_scores_broadcast_and_unknown_scales_are_named() -> None:
    joint, single = np.full((5, 2, 3), 0.9), np.full((5, 1, 3), 0.8)
    for scale in SCALES:
        assert compute_gains(joint, single, scale).shape == (5, 2, 3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="scale"):
        compute_gains(0.9, 0.8, "log")  # type: ignore[arg-type]


def test_cells_with_a_few_undefined_draws_keep_their_interval() -> None:
    found = bootstrap_gains(make_sweep(np.zeros((3, 3))), draws=200)
    expected = found.interval()
    found.single_draws[:3, 0] = 0.0  # in 3 of 200 draws, 1.5 %, there is nothing to gain on
    found.single_draws[:5, 1] = 0.0  # in 5, 2.5 %
    low, high = found.interval()
    assert MOST_UNDEFINED == 0.02
    kept = found.draws()[3:, [1, 2], 0]
    assert (low[[1, 2], 0] == take_interval(kept)[0]).all()
    assert np.isnan(low[:, 1]).all()
    assert np.isnan(high[:, 1]).all()
    for found_end, end in zip((low, high), expected, strict=True):
        np.testing.assert_array_equal(found_end[:, 2], end[:, 2])
