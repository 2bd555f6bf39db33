"""What is said of a chosen partition holds as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.arrays import Floats
from analysis.gains.posterior import GainPosterior
from analysis.partitions.decision import Decision, decide
from analysis.partitions.per_draw import measure_gain
from analysis.partitions.promise import find_pattern, state_decision

FAMILIES = np.arange(9) % 3
NOISE = 0.015


def measure(truth: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return a measured matrix and draws of it, as noisy as each other."""
    size = len(truth)
    values = truth + rng.normal(0, NOISE, truth.shape)
    draws = values + rng.normal(0, NOISE, (100, *truth.shape))
    values[range(size), range(size)] = 0.0
    draws[:, range(size), range(size)] = 0.0
    return values, draws


def state(values: Floats, draws: Floats) -> tuple[Decision, Decision]:
    """Return the decision as it is chosen, and as it is stated."""
    decision = decide(GainPosterior.of(values, draws))
    return decision, state_decision(decision, values, draws)


def make_truth(kind: str, rng: np.random.Generator) -> Floats:
    same = FAMILIES[:, None] == FAMILIES
    truth = np.where(same, 0.05, -0.03) if kind == "families" else rng.normal(0, 0.03, (9, 9))
    np.fill_diagonal(truth, 0.0)
    return np.asarray(truth, dtype=np.float64)


@pytest.mark.parametrize("kind", ["families", "unstructured"])
def test_the_stated_interval_holds_the_truth_as_often_as_it_says(kind: str) -> None:
    missed, covered = [], []
    for number in range(12):
        rng = np.random.default_rng([number, 1])
        truth = make_truth(kind, rng)
        chosen = state(*measure(truth, rng))[1].chosen
        gain = float(measure_gain(truth, chosen.labels)) / 9
        missed.append(chosen.gain - gain)
        covered.append(chosen.low <= gain <= chosen.high)
    assert abs(float(np.mean(missed))) < 0.005
    assert sum(covered) >= 10  # of 12; 9 or fewer come in 1 of 400 cases at 95 %


def test_a_pattern_is_taken_as_measured_and_chance_makes_none() -> None:
    rng = np.random.default_rng(3)
    values, draws = measure(make_truth("families", rng), rng)
    found = find_pattern(FAMILIES, values, draws)
    # beyond main effects, two of one family share .08 more than two of others
    inside = FAMILIES[:, None] == FAMILIES
    away = ~np.eye(9, dtype=bool)
    assert found[inside & away].mean() - found[~inside].mean() == pytest.approx(0.08, abs=0.01)
    values, draws = measure(np.zeros((9, 9)), rng)
    labels = decide(GainPosterior.of(values, draws)).chosen.labels
    assert not find_pattern(labels, values, draws).any()


def test_gains_of_few_targets_are_stated_as_they_are_chosen() -> None:
    rng = np.random.default_rng(4)
    values, draws = measure(np.full((3, 3), 0.03), rng)
    decision, stated = state(values, draws)
    assert stated is decision
    values, draws = measure(make_truth("families", rng), rng)
    draws[:, :, 3:] = np.nan  # targets whose gains are not defined
    decision, stated = state(values, draws)
    assert stated is decision


def test_nothing_gains_nothing_and_is_left_alone() -> None:
    decision, stated = state(np.zeros((6, 6)), np.zeros((50, 6, 6)))
    assert stated.verdict == decision.verdict == "alone"
    assert (stated.chosen.low, stated.chosen.high) == (0.0, 0.0)
