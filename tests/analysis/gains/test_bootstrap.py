"""The bootstrap of the whole matrix: by hand in small cases, and its invariances."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from made_predictions import draw_arm, make_sweep, make_target
from scipy import stats
from scipy.special import polygamma

from analysis.gains.bootstrap import GainBootstrap, adjust, bootstrap_gains
from analysis.scores.moderation import fit_priors
from analysis.scores.predictions import Predictions
from analysis.scores.resampling import number_units, score_runs
from analysis.scores.seed_noise import SeedNoise, moderate
from hmnet.errors import InputError
from relevance.pairwise.uncertainty import to_matrix

NO_GAIN = np.zeros((3, 3))


def reorder(predictions: dict[str, Predictions], names: str) -> dict[str, Predictions]:
    """Return the same predictions with tasks, partners and runs in another order."""
    return {
        name: dataclasses.replace(
            predictions[name],
            joint={p: predictions[name].joint[p] for p in names if p in predictions[name].joint},
        )
        for name in names
    }


def make_two(single: Any, joint: Any, **more: Any) -> dict[str, Predictions]:
    """Return two tasks of which `a` has the given runs (right where 1), `b` certain ones."""
    size = np.shape(single)[-1]
    ones = np.ones(size, int)
    a = make_target("a", ones, single, {"b": joint}, **more)
    return {"a": a, "b": make_target("b", ones, ones, {"a": ones})}


# Values


def test_the_gains_of_a_hand_made_sweep_on_each_scale() -> None:
    # single: 2 of 4 and 3 of 4 right, mean 5/8; joint: 3 of 4 and 4 of 4, mean 7/8
    single = [[1, 1, 0, 0], [1, 1, 1, 0]]
    found = bootstrap_gains(make_two(single, [[1, 1, 1, 0], [1, 1, 1, 1]]), draws=50)
    assert found.single[0] == pytest.approx(5 / 8)
    assert found.joint[1, 0] == pytest.approx(7 / 8)
    assert found.gains("points")[1, 0] == pytest.approx(2 / 8)
    assert found.gains("relative")[1, 0] == pytest.approx(2 / 5)
    assert found.gains("headroom")[1, 0] == pytest.approx(2 / 3)
    assert found.gains("points")[0, 1] == 0
    assert np.isnan(found.gains("headroom")[0, 1])  # nothing is left to gain over 4 of 4
    assert (np.diag(found.gains()) == 0).all()


def test_with_one_seed_the_draws_are_those_of_the_examples_alone() -> None:
    predictions = make_sweep(NO_GAIN, dev=150, seeds=1)
    found = bootstrap_gains(predictions, draws=3000)
    a = predictions["a"]
    rng = np.random.default_rng(5)
    index = rng.integers(0, 150, (3000, 150))
    right_single = (a.single.values[0] == a.labels)[index].mean(axis=1)
    right_joint = (a.joint["b"].values[0] == a.labels)[index].mean(axis=1)
    expected = np.quantile((right_joint - right_single) / right_single, [0.025, 0.975])
    low, high = found.interval("relative")
    # two sets of 3,000 draws: a standard error near 0.004 at each end
    assert (low[1, 0], high[1, 0]) == pytest.approx(expected, abs=0.02)


def test_a_run_that_does_what_the_single_run_does_is_no_gain_for_certain() -> None:
    right = np.random.default_rng(0).integers(0, 2, (1, 80))
    once = bootstrap_gains(make_two(right, right), draws=100)
    low, high = once.interval()
    assert (once.gains()[1, 0], low[1, 0], high[1, 0]) == (0, 0, 0)
    assert np.isnan(once.p_values[1, 0])  # a seed each: noise of seeds may have made any gain
    twice = bootstrap_gains(make_two(np.tile(right, (2, 1)), np.tile(right, (2, 1))), draws=100)
    assert twice.p_values[1, 0] == 1


def test_a_large_gain_is_significant_and_a_small_one_is_not() -> None:
    gains = [[0, 0.2, 0.005], [0, 0, 0], [0, 0, 0]]
    found = bootstrap_gains(make_sweep(gains, dev=400, seeds=5), draws=300)
    q = found.q_values()
    assert q[0, 1] < 1e-4
    assert found.interval("points")[0][0, 1] > 0.1
    assert q[0, 2] > 0.05


def test_the_test_is_the_t_test_of_both_arms_when_examples_say_nothing() -> None:
    """With 200,000 dev examples it is seeds that make the noise: a t-test with pooled variance."""
    rng = np.random.default_rng(1)
    size = 200_000
    shares = np.array([[0.70, 0.72, 0.71], [0.73, 0.74, 0.72]])
    ranks = rng.permutation(size)
    runs = [(ranks[None] < np.round(size * row)[:, None]).astype(int) for row in shares]
    found = bootstrap_gains(make_two(runs[0], runs[1]), draws=20)
    # two arms with the same sample variance: both t-tests have the same statistic, and 4 degrees
    # of freedom where nothing is left in doubt of how unlike the arms are
    expected = stats.ttest_ind(shares[1], shares[0], equal_var=True)
    assert found.error[1, 0] == pytest.approx(0.02 / expected.statistic, rel=0.15)
    assert 3 < found.df[1, 0] < 4.05
    assert expected.pvalue * 0.8 < found.p_values[1, 0] < expected.pvalue * 2


# Seeds


def test_one_seed_everywhere_leaves_seed_noise_out_tests_nothing_and_says_so() -> None:
    found = bootstrap_gains(make_sweep(NO_GAIN, seeds=1), draws=50)
    assert not found.has_seed_noise.any()
    assert np.isnan(found.p_values).all()
    assert np.isfinite(found.interval()[0][0, 1])
    matrix = to_matrix(found)
    assert matrix.provenance["bootstrap"]["seed_noise_included"] is False


def test_repeated_single_runs_bring_seed_noise_into_every_cell() -> None:
    found = bootstrap_gains(make_sweep(NO_GAIN, seeds=1, single_seeds=4), draws=50)
    away = ~np.eye(3, dtype=bool)
    assert found.has_seed_noise[away].all()
    assert to_matrix(found).provenance["bootstrap"]["seed_noise_included"] is True


def test_seed_noise_widens_the_interval_and_more_seeds_narrow_it() -> None:
    def measure_width(seeds: int, sd: float) -> float:
        sweep = make_sweep(NO_GAIN, dev=2000, seeds=seeds, sd=sd, seed=3)
        low, high = bootstrap_gains(sweep, draws=400).interval("points")
        return float(np.nanmean(high - low))

    steady, shaky, many = measure_width(3, 0.001), measure_width(3, 0.05), measure_width(12, 0.05)
    assert shaky > 2 * steady
    # a root of 4 times the seeds, and less doubt about their variance
    assert many < shaky / 2


def test_what_seeds_err_on_different_examples_is_not_counted_twice() -> None:
    """Runs of one accuracy that err on examples by chance have no noise beyond the examples'."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 3000)
    arms = [draw_arm(labels, 0.8, 12, rng) for _ in range(2)]
    target = make_target("a", labels, arms[0], {"b": arms[1]})
    other = make_target("b", labels, arms[0], {"a": arms[1]})
    found = bootstrap_gains({"a": target, "b": other}, draws=500)
    width = np.diff(np.array(found.interval("points")), axis=0)[0][1, 0]
    # the SD of the difference of two means of 12 runs, 3,000 examples each
    expected = 2 * 1.96 * np.sqrt(2 * 0.8 * 0.2 / 3000 / 12)
    assert width == pytest.approx(expected, rel=0.35)


def make_variances(
    spread: float, df: int, arms: int = 14, targets: int = 13, seed: int = 0
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Return true variances with an SD of their logarithm, sample variances, and their df."""
    rng = np.random.default_rng(seed)
    true = [np.exp(t + spread * rng.standard_normal(arms)) for t in rng.normal(size=targets)]
    return (
        true,
        [each * rng.chisquare(df, arms) / df for each in true],
        [np.full(arms, float(df)) for _ in true],
    )


def moderate_plainly(variances: list[np.ndarray], dfs: list[np.ndarray]) -> list[SeedNoise]:
    return moderate(variances, [np.zeros_like(each) for each in variances], dfs)


@pytest.mark.parametrize("df", [2, 4, 9])
@pytest.mark.parametrize("spread", [0.0, 0.7, 1.2])
def test_how_unlike_arms_are_is_found_on_the_log_scale(spread: float, df: int) -> None:
    _, variances, dfs = make_variances(spread, df)
    prior = fit_priors(variances, dfs)[0].df[0]
    found = float(np.sqrt(polygamma(1, prior / 2)))
    assert found == pytest.approx(spread, abs=0.35)


@pytest.mark.parametrize("df", [2, 4])
def test_a_few_collapsed_runs_do_not_decide_for_the_other_arms(df: int) -> None:
    _, variances, dfs = make_variances(0.0, df)
    plain = moderate_plainly(variances, dfs)
    for target in variances[:5]:
        target[3] *= 2000.0  # one run of the arm collapsed
    found = moderate_plainly(variances, dfs)
    others = np.delete(np.arange(14), 3)
    for noise, before in zip(found[:5], plain[:5], strict=True):
        assert np.median(noise.variance[others] / before.variance[others]) < 1.5
    # the arm keeps its own, with little help from the others
    assert all(n.variance[3] > 0.5 * v[3] for n, v in zip(found[:5], variances[:5], strict=True))
    assert all(noise.own_df[3] < df + 2 for noise in found[:5])


def test_drawn_together_variances_are_nearer_the_truth_than_their_own_and_the_pooled() -> None:
    true, variances, dfs = make_variances(0.7, 2)
    found = moderate_plainly(variances, dfs)

    def miss(guess: list[np.ndarray]) -> float:
        return float(np.mean([(np.log(g / t)) ** 2 for g, t in zip(guess, true, strict=True)]))

    own, pooled = miss(variances), miss([np.full(14, each.mean()) for each in variances])
    assert miss([noise.variance for noise in found]) < min(own, pooled)


def test_arms_alike_are_pooled_and_have_nearly_all_degrees_of_freedom() -> None:
    variances, dfs = [np.full(14, 2.0) for _ in range(6)], [np.full(14, 4.0) for _ in range(6)]
    for noise in moderate_plainly(variances, dfs):
        assert noise.variance == pytest.approx(np.full(14, 2.0), rel=0.15)
        assert (noise.df > 20).all()  # 4 of its own, up to 56


def test_variances_of_zero_say_that_an_arm_is_small_and_no_more() -> None:
    variances, dfs = [np.array([0.0, 1.0, 2.0, 1.5, 0.8])], [np.full(5, 2.0)]
    (found,) = moderate_plainly(variances, dfs)
    assert np.isfinite(found.variance).all()
    assert (found.variance > 0.2).all()
    (still,) = moderate_plainly([np.zeros(5)], dfs)
    assert (still.variance == 0).all()


def test_an_arm_of_one_seed_takes_the_target_s_variance() -> None:
    (found,) = moderate([np.array([4.0, 0.0])], [np.zeros(2)], [np.array([3.0, 0.0])])
    assert found.variance == pytest.approx([4.0, 4.0], rel=0.3)
    assert found.df[1] < found.df[0] <= 3.01
    (unknown,) = moderate([np.zeros(2)], [np.zeros(2)], [np.zeros(2)])
    assert (unknown.df == 0).all()


# What does not matter


def test_order_of_tasks_partners_and_runs_does_not_matter() -> None:
    predictions = make_sweep([[0, 0.1, 0], [0.05, 0, 0], [0, -0.1, 0]], sd=0.05)
    one, other = (
        bootstrap_gains(reorder(predictions, names), draws=60) for names in ("abc", "cab")
    )
    place = [other.tasks.index(task) for task in one.tasks]
    grid = np.ix_(place, place)
    np.testing.assert_allclose(one.gains(), other.gains()[grid], atol=1e-12)
    np.testing.assert_allclose(one.p_values, other.p_values[grid], atol=1e-9)
    draws = other.draws()[:, place][:, :, place]
    np.testing.assert_allclose(one.draws(), draws, atol=1e-9)


def test_order_of_seeds_does_not_matter() -> None:
    predictions = make_sweep(NO_GAIN, sd=0.05)
    turned = {
        name: dataclasses.replace(
            found,
            single=dataclasses.replace(
                found.single, seeds=found.single.seeds[::-1], values=found.single.values[::-1]
            ),
        )
        for name, found in predictions.items()
    }
    one, other = (bootstrap_gains(p, draws=60) for p in (predictions, turned))
    np.testing.assert_allclose(one.draws(), other.draws(), atol=1e-9)


def test_the_examples_of_a_task_are_drawn_alike_whoever_else_is_there() -> None:
    predictions = make_sweep(NO_GAIN, seeds=1)
    two = {
        name: dataclasses.replace(
            predictions[name], joint={p: a for p, a in predictions[name].joint.items() if p in "ab"}
        )
        for name in "ab"
    }
    whole, part = bootstrap_gains(predictions, 60), bootstrap_gains(two, 60)
    np.testing.assert_allclose(whole.draws()[:, :2, :2], part.draws(), atol=1e-12)


def test_single_runs_are_shared_by_the_cells_of_a_column() -> None:
    """A column's gains rise and fall together with the single runs that they all have."""
    found = bootstrap_gains(make_sweep(NO_GAIN, dev=2000, sd=0.05), draws=2000)
    draws = found.draws("points")
    within = np.corrcoef(draws[:, 1, 0], draws[:, 2, 0])[0, 1]
    across = np.corrcoef(draws[:, 1, 0], draws[:, 2, 1])[0, 1]
    assert within == pytest.approx(0.5, abs=0.12)  # equal variances: half is the single runs'
    assert abs(across) < 0.12


def test_both_directions_of_a_pair_rise_together_where_their_seeds_do() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 1500)
    found = {}
    luck = 0.08 * rng.standard_normal(8)
    for task, partner in (("a", "b"), ("b", "a")):
        joint = np.stack([draw_arm(labels, 0.7 + shift, 1, rng)[0] for shift in luck])
        found[task] = make_target(task, labels, draw_arm(labels, 0.7, 8, rng), {partner: joint})
    result = bootstrap_gains(found, draws=1500)
    assert result.settings["directions_correlation"] > 0.8
    draws = result.draws("points")
    assert np.corrcoef(draws[:, 0, 1], draws[:, 1, 0])[0, 1] > 0.4


# Multiple tests


def test_q_values_by_hand_and_as_scipy_and_statsmodels_have_them() -> None:
    p = np.array([[np.nan, 0.01, 0.04], [0.03, np.nan, 0.005], [0.5, 0.2, np.nan]])
    # sorted .005 .01 .03 .04 .2 .5 times 6 / rank: .03 .03 .06 .06 .24 .5
    expected = [[np.nan, 0.03, 0.06], [0.06, np.nan, 0.03], [0.5, 0.24, np.nan]]
    found = adjust(p)
    np.testing.assert_allclose(found, expected)
    known = ~np.isnan(p)
    np.testing.assert_allclose(found[known], stats.false_discovery_control(p[known]))
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    np.testing.assert_allclose(found[known], multitest.multipletests(p[known], method="fdr_bh")[1])


def test_nothing_to_test_has_no_q_values() -> None:
    assert np.isnan(adjust(np.full((2, 2), np.nan))).all()


# Gaps


def test_pairs_that_were_not_run_have_no_numbers() -> None:
    predictions = make_sweep(NO_GAIN)
    del predictions["a"].joint["b"]  # type: ignore[attr-defined]
    found = bootstrap_gains(predictions, draws=40)
    for values in (found.gains(), found.p_values, found.q_values(), *found.interval()):
        assert np.isnan(values[1, 0])
        assert np.isfinite(values[0, 1])


def test_a_single_score_of_zero_has_points_but_no_relative_gain() -> None:
    found = bootstrap_gains(make_two(np.zeros((2, 30), int), np.ones((2, 30), int)), draws=40)
    assert np.isnan(found.gains("relative")[1, 0])
    assert np.isnan(found.interval("relative")[0][1, 0])
    assert found.gains("points")[1, 0] == 1
    assert found.interval("points")[0][1, 0] == 1


def test_a_matrix_carries_what_is_known_of_each_cell() -> None:
    found = bootstrap_gains(make_sweep(NO_GAIN, dev=90, seeds=2, single_seeds=4), draws=40)
    matrix = to_matrix(found, provenance={"data": "made"})
    row = matrix.table.set_index(["source", "target"]).loc[("a", "b")]
    assert row["ci_low"] <= row["value"] <= row["ci_high"]
    assert row["p_value"] <= row["q_value"] <= 1
    assert (row["n_dev"], row["n_seeds"], row["n_single_seeds"]) == (90, 2, 4)
    assert matrix.provenance["bootstrap"]["draws"] == 40
    assert matrix.provenance["data"] == "made"
    assert matrix.table["ci_low"].isna().sum() == 3  # the diagonal


def test_what_does_not_fit_is_named_at_once() -> None:
    predictions = make_sweep(NO_GAIN)
    with pytest.raises(InputError) as error:
        bootstrap_gains({"a": predictions["a"]}, draws=1)
    assert len(error.value.problems) == 4  # two unknown partners, one task, one draw
    with pytest.raises(InputError, match="name each task"):
        bootstrap_gains({**predictions, "b": dataclasses.replace(predictions["b"], task="x")})
    with pytest.raises(InputError, match="scale"):
        bootstrap_gains(predictions, draws=5).gains("percent")  # type: ignore[arg-type]


def test_scores_are_those_of_the_stored_predictions() -> None:
    predictions = make_sweep(NO_GAIN)
    found: GainBootstrap = bootstrap_gains(predictions, draws=5)
    assert found.single[0] == score_runs(predictions["a"], predictions["a"].single.values).mean()
    assert found.n_units[0] == len(set(number_units(predictions["a"].questions).tolist())) == 200
