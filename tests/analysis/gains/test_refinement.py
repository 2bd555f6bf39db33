"""Where more seeds would change a decision: hand values, and what a plan must do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_predictions import make_sweep

from analysis.gains.bootstrap import GainBootstrap, bootstrap_gains
from analysis.gains.seed_value import measure_value, plan_refinement
from hmnet.errors import InputError

# a and b: nobody knows; c helps and is helped beyond doubt
GAINS = [[0, 0, 0.2], [0, 0, 0.2], [0.2, 0.2, 0]]


@pytest.fixture(scope="module")
def found() -> GainBootstrap:
    return bootstrap_gains(make_sweep(GAINS, dev=2000, seeds=3, sd=0.03), draws=50)


def test_the_value_of_a_run_by_hand() -> None:
    # at d = 0 the expected rise is r phi(0)
    assert measure_value(np.array(0.0), np.array(0.02)) == pytest.approx(
        0.02 / math.sqrt(2 * math.pi)
    )
    # one r away: r (phi(1) - Phi(-1)) = r (0.24197 - 0.15866)
    assert measure_value(np.array(-0.02), np.array(0.02)) == pytest.approx(0.02 * 0.08331, rel=1e-3)
    assert measure_value(np.array(0.5), np.array(0.01)) == pytest.approx(0, abs=1e-12)
    assert measure_value(np.array(0.0), np.array(0.0)) == 0


def test_the_value_is_that_of_simulated_decisions() -> None:
    rng = np.random.default_rng(0)
    d, r = 0.01, 0.02
    moved = d + r * rng.standard_normal(400_000)
    simulated = np.maximum(moved, 0).mean() - max(d, 0)
    assert measure_value(np.array(d), np.array(r)) == pytest.approx(simulated, abs=1e-4)


def test_open_decisions_get_the_runs(found: GainBootstrap) -> None:
    plan = plan_refinement(found, 12)
    assert sum(extra.seeds for extra in plan) <= 12
    assert plan[0].tasks == ("a", "b") or len(plan[0].tasks) == 1
    spent = {extra.tasks: extra.seeds for extra in plan}
    assert spent.get(("a", "b"), 0) > spent.get(("a", "c"), 0)
    assert spent.get(("a", "b"), 0) > spent.get(("b", "c"), 0)
    values = [extra.value for extra in plan]
    assert values == sorted(values, reverse=True)


def test_a_larger_budget_saves_more(found: GainBootstrap) -> None:
    saved = [sum(e.value for e in plan_refinement(found, budget)) for budget in (4, 12, 40)]
    assert 0 < saved[0] < saved[1] < saved[2]


def test_a_pair_that_costs_two_runs_takes_two(found: GainBootstrap) -> None:
    plan = plan_refinement(found, 7, pair_cost=2)
    assert sum(extra.seeds * len(extra.tasks) for extra in plan) <= 7


def test_nothing_is_planned_where_all_is_decided() -> None:
    sure = bootstrap_gains(make_sweep(np.full((3, 3), 0.25), dev=3000, sd=0.005), draws=20)
    assert plan_refinement(sure, 40) == []


def test_weights_lead_the_runs(found: GainBootstrap) -> None:
    weights = np.zeros((3, 3))
    weights[0, 1] = 1
    tasks = {extra.tasks for extra in plan_refinement(found, 6, weights=weights)}
    assert tasks <= {("a", "b"), ("b",)}  # the pair, and the single runs of the target


def test_one_seed_cannot_say_where_more_are_needed() -> None:
    one = bootstrap_gains(make_sweep(GAINS, seeds=1), draws=20)
    with pytest.raises(InputError, match="seed noise"):
        plan_refinement(one, 10)
