"""Gains of tasks that are scored by an error: lower is better, everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from made_predictions import make_target

from analysis.gains import bootstrap_gains, compare_with_majority, compute_gains
from analysis.gains.paired import AVERAGE, estimate_differences, estimate_scores, score_systems
from analysis.scores import Predictions, find_collapsed, measure_majority, score_runs
from relevance.pairwise.uncertainty import attach_uncertainty, to_matrix

SIZE, SEEDS = 120, 4


def make_ratings(metric: str, unit: float = 1.0) -> dict[str, Predictions]:
    """Return two tasks of values, of which `a` gains from `b`: its error falls by a quarter."""
    rng = np.random.default_rng(3)
    labels = rng.normal(0, 1, SIZE)
    noise = rng.normal(0, 0.1, (2, SEEDS, SIZE))
    shared = rng.normal(0, 0.8, SIZE)

    def predict(share: float, which: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        level = share * (1 + 0.04 * rng.standard_normal((SEEDS, 1)))
        return unit * (labels + level * shared + noise[which])

    return {
        "a": make_target("a", unit * labels, predict(1.0, 0), {"b": predict(0.75, 1)}, metric),
        "b": make_target(
            "b", labels, predict(1.0, 0) / unit, {"a": predict(1.3, 1) / unit}, metric
        ),
    }


def test_a_gain_of_an_error_is_the_share_by_which_it_falls() -> None:
    # From .4 to .3: (.4 - .3) / .4 = .25; from .4 to .5: -.25. Nothing bounds an error.
    joint, single = np.array([-0.3, -0.5]), -0.4
    assert compute_gains(joint, single, is_error=True) == pytest.approx([0.25, -0.25])
    assert compute_gains(joint, single, "points", is_error=True) == pytest.approx([0.1, -0.1])
    assert np.isnan(compute_gains(joint, single, "headroom", is_error=True)).all()
    assert np.isnan(compute_gains(0.0, 0.0, is_error=True))  # nothing left to gain


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_an_error_that_falls_is_a_gain_with_its_interval(metric: str) -> None:
    found = bootstrap_gains(make_ratings(metric), draws=200)
    gain, (low, high) = found.gains()[1, 0], found.interval()
    assert 0 < low[1, 0] < gain < high[1, 0] < 1
    assert high[0, 1] < 0  # and one that rises a loss
    assert np.isnan(found.gains("headroom")[1, 0])
    assert np.isnan(found.interval("headroom")[0][1, 0])


def test_the_unit_of_an_error_changes_no_gain() -> None:
    one, other = (bootstrap_gains(make_ratings("mae", unit), draws=100) for unit in (1.0, 1000.0))
    np.testing.assert_allclose(one.gains(), other.gains(), atol=1e-9)
    np.testing.assert_allclose(one.interval()[0], other.interval()[0], atol=1e-9)
    np.testing.assert_allclose(one.q_values(), other.q_values(), atol=1e-9)


def test_a_matrix_of_errors_leaves_the_headroom_empty() -> None:
    found = bootstrap_gains(make_ratings("rmse"), draws=50)
    whole = attach_uncertainty(to_matrix(found), found)
    assert whole.to_frame("headroom").loc[["b"], "a"].isna().all()
    assert whole.to_frame("points").loc["b", "a"] > 0


def test_the_best_constant_error_is_that_of_the_median_or_the_mean() -> None:
    # Labels 0 0 3: the median 0 is off by 3 / 3 = 1; the mean 1 by sqrt((1 + 1 + 4) / 3).
    labels = np.array([0.0, 0.0, 3.0])
    made = {m: make_target("x", labels, labels, {}, m) for m in ("mae", "rmse")}
    assert measure_majority(made["mae"]) == pytest.approx(-1)
    assert measure_majority(made["rmse"]) == pytest.approx(-np.sqrt(2))


def test_a_task_that_is_no_better_than_a_constant_has_learned_nothing() -> None:
    made = make_ratings("mae")
    found = bootstrap_gains(made, draws=50)
    beats = compare_with_majority(made, found).set_index("task")
    assert (beats["single"] < 0).all()
    assert beats.loc["a", "beats"] in ("yes", "not shown")
    constant = np.zeros((1, SIZE))
    flat = make_target("x", made["a"].labels, constant, {}, "mae")
    assert score_runs(flat, constant)[0] <= measure_majority(flat)
    assert [run.reasons for run in find_collapsed(flat)] == [("constant predictions",)]


def test_a_system_with_a_lower_error_is_above_and_no_error_is_in_the_average() -> None:
    made = make_ratings("mae")
    right = np.ones(SIZE, int)
    made["c"] = make_target("c", right, right, {"b": right}, "accuracy")
    scored = score_systems({"a": made["a"], "c": made["c"]}, "single", draws=100)
    assert estimate_differences(scored, "single")["a", "b"].low > 0
    assert estimate_scores(scored)[AVERAGE, "single"].value == 1  # that of c alone


def test_constant_odds_are_a_collapse_and_score_as_chance() -> None:
    labels = np.arange(SIZE) % 2
    made = make_target("x", labels, np.full((1, SIZE), 0.3), {}, "auroc")
    assert measure_majority(made) == 0.5
    assert [run.reasons for run in find_collapsed(made)] == [("constant predictions",)]
