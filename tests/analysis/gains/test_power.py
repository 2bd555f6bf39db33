"""What a sweep can detect, against statsmodels and hand values; and how a budget is split."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from made_predictions import make_sweep

from analysis.gains.bootstrap import bootstrap_gains
from analysis.gains.power import (
    Detection,
    expect_seed_sd,
    find_detectable_gain,
    find_level,
    find_noncentrality,
    split_budget,
    tabulate_power,
    tabulate_prior_power,
)
from hmnet.errors import InputError


@pytest.mark.parametrize(
    ("seed_sd", "seeds", "points"),
    [
        # the SD times the root of 2 / seeds, times 1.960 + 0.842
        (4.4, 1, 17.4),
        (5.6, 1, 22.2),
        (1.9, 1, 7.5),
        (4.4, 3, 10.1),
        (5.6, 3, 12.8),
        (1.9, 3, 4.3),
    ],
)
def test_published_seed_noise_gives_these_smallest_gains(
    seed_sd: float, seeds: int, points: float
) -> None:
    assert 100 * find_detectable_gain(seed_sd / 100, seeds, seeds) == pytest.approx(
        points, abs=0.06
    )


@pytest.mark.parametrize("seeds", [3, 5, 10, 40])
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_with_an_estimated_sd_it_is_the_t_test_of_statsmodels(seeds: int, power: float) -> None:
    models = pytest.importorskip("statsmodels.stats.power")
    effect = models.TTestIndPower().solve_power(nobs1=seeds, alpha=0.05, power=power)
    found = find_detectable_gain(1.0, seeds, seeds, df=2 * seeds - 2, detection=Detection(power))
    assert found == pytest.approx(effect, rel=1e-3)  # theirs counts the wrong sign as found


def test_unequal_arms_add_their_variances() -> None:
    # 0.02^2 (1/5 + 1/15) + 0.3^2 / 900 = 0.00010667 + 0.0001
    expected = math.sqrt(0.0001066667 + 0.0001) * (1.959964 + 0.841621)
    found = find_detectable_gain(0.02, 5, 15, example_sd=0.3, n_dev=900)
    assert found == pytest.approx(expected, rel=1e-5)


def test_fewer_degrees_of_freedom_need_larger_effects() -> None:
    shifts = [find_noncentrality(df) for df in (2, 4, 20, 1000, math.inf)]
    assert shifts == sorted(shifts, reverse=True)
    assert shifts[3] == pytest.approx(shifts[4], rel=0.01)
    assert shifts[4] == pytest.approx(2.8016, abs=1e-4)


def test_a_gain_of_the_detectable_size_is_found_in_80_of_100_sweeps() -> None:
    dev, seeds, base, sd = 400, 4, 0.7, 0.03
    # the variance of one run's dev score: over seeds, and over the examples it errs on
    seed_sd = math.sqrt(sd**2 + base * (1 - base) / dev)
    gain = find_detectable_gain(seed_sd, seeds, seeds, df=4 * (seeds - 1))
    gains = np.array([[0, gain], [-gain, 0]])
    found = [
        bootstrap_gains(make_sweep(gains, dev, seeds, base=base, sd=sd, seed=s), draws=60)
        for s in range(80)
    ]
    share = np.mean([[f.p_values[0, 1] < 0.05, f.p_values[1, 0] < 0.05] for f in found])
    # 160 tests: a standard error of 0.032
    assert share == pytest.approx(0.8, abs=0.1)


@pytest.mark.parametrize(("budget", "tasks", "cost"), [(500, 13, 2.0), (91, 13, 1.0), (60, 5, 2.0)])
def test_the_best_split_is_that_of_all_splits(budget: float, tasks: int, cost: float) -> None:
    pairs = tasks * (tasks - 1) / 2 * cost
    most = int(budget)
    splits = [
        (1 / single + 1 / pair, single * tasks + pair * pairs)
        for single, pair in itertools.product(range(1, most + 1), repeat=2)
        if single * tasks + pair * pairs <= budget
    ]
    found = split_budget(budget, tasks, cost)
    assert (found.variance, found.cost) == pytest.approx(min(splits))
    assert found.cost <= budget


def test_a_large_budget_gives_singles_root_t_minus_1_times_the_seeds() -> None:
    found = split_budget(100_000, 13)
    assert found.n_single / found.n_pair == pytest.approx(math.sqrt(12), rel=0.03)


def test_a_budget_that_pays_nothing_is_refused_with_the_least_one() -> None:
    with pytest.raises(InputError, match="169"):  # 13 + 78 * 2
        split_budget(100, 13)


def test_the_prior_is_that_of_small_tasks() -> None:
    # CB: 250 training and 56 dev examples: sqrt(.03^2 + .06 / 56)
    assert expect_seed_sd(56, 250) == pytest.approx(math.sqrt(0.0009 + 0.06 / 56))
    assert expect_seed_sd(56, 250) > expect_seed_sd(277, 2490) > expect_seed_sd(9815, 392_702)


def test_the_plan_s_table_has_a_row_per_target() -> None:
    table = tabulate_prior_power({"cb": (56, 250), "mnli": (9815, 392_702)}, 3, 9)
    assert list(table["task"]) == ["cb", "mnli"]
    expected = find_detectable_gain(expect_seed_sd(56, 250), 3, 9)
    assert table["detectable"][0] == pytest.approx(expected)
    assert table["per_example"][0] == pytest.approx(1 / 56)


def test_after_a_round_the_measured_noise_takes_the_prior_s_place() -> None:
    found = bootstrap_gains(make_sweep(np.zeros((3, 3)), 400, 6, sd=0.04), draws=100)
    table = tabulate_power(found).set_index("task")
    assert list(table.index) == ["a", "b", "c"]
    # SD of a run: sqrt(.04^2 + .21 / 400) = .046
    assert table["seed_sd"].to_numpy() == pytest.approx(np.full(3, 0.046), rel=0.4)
    assert (table["detectable"] > 2.8 * table["seed_sd"] * math.sqrt(2 / 6) * 0.8).all()
    assert table["detectable_relative"].to_numpy() == pytest.approx(
        (table["detectable"] / found.single).to_numpy()
    )


def test_the_level_of_a_cell_is_that_of_the_correction() -> None:
    gains = np.zeros((4, 4))
    gains[0, 1] = gains[1, 2] = 0.2
    found = bootstrap_gains(make_sweep(gains, 500, 4), draws=60)
    # 2 of 12 cells are beyond noise: the largest p that counts is .05 * 2 / 12
    assert find_level(found) == pytest.approx(0.05 * 2 / 12)
    strict = tabulate_power(found, Detection(alpha=find_level(found)))["detectable"]
    assert (strict > tabulate_power(found)["detectable"]).all()
    nothing = bootstrap_gains(make_sweep(np.zeros((3, 3)), 500, 4), draws=60)
    assert find_level(nothing) == pytest.approx(0.05 / 6)


def test_one_seed_says_nothing_about_what_seeds_could_detect() -> None:
    found = bootstrap_gains(make_sweep(np.zeros((2, 2)), seeds=1), draws=20)
    table = tabulate_power(found)
    assert table["detectable"].isna().all()
    assert table["seed_sd"].isna().all()


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(InputError) as error:
        find_detectable_gain(-1, 3, 3, detection=Detection(0.2))
    assert len(error.value.problems) == 2
    with pytest.raises(InputError, match="n_joint"):
        find_detectable_gain(1, 0, 3)
