"""The partition with the highest gain to be expected; all together and alone are candidates."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from analysis.arrays import Floats
from analysis.gains.posterior import Components, GainPosterior, Noise
from analysis.partitions.decision import decide, improve, search, weigh
from analysis.partitions.per_draw import measure_gain

FAMILIES = np.array([0, 0, 0, 1, 1, 1])


def make_posterior(gains: Floats, noise: float = 1e-8) -> GainPosterior:
    size = len(gains)
    parts = Components(1e-4, 1e-4, 1e-3)
    return GainPosterior(gains, Noise(np.full((size, size), noise), np.zeros(size)), parts)


def make_gains(inside: float, outside: float) -> Floats:
    gains = np.where(FAMILIES[:, None] == FAMILIES, inside, outside)
    np.fill_diagonal(gains, 0.0)
    return gains


def same(one: Floats, other: Floats) -> bool:
    together = [labels[:, None] == labels for labels in (np.asarray(one), np.asarray(other))]
    return bool((together[0] == together[1]).all())


@pytest.mark.parametrize(
    ("inside", "outside", "verdict"),
    [(0.05, -0.03, "groups"), (0.05, 0.05, "all"), (-0.02, -0.04, "alone")],
)
def test_the_verdict_is_what_gains_most(inside: float, outside: float, verdict: str) -> None:
    decision = decide(make_posterior(make_gains(inside, outside)))
    assert decision.verdict == verdict
    if verdict == "groups":
        assert same(decision.chosen.labels, FAMILIES)
        # each task gains 0.05 from both of its family
        assert decision.chosen.gain == pytest.approx(0.05, abs=1e-3)
    assert decision.chosen.gain >= max(each.gain for each in decision.others.values()) - 1e-12


def test_no_partition_gains_more_than_the_chosen_one() -> None:
    rng = np.random.default_rng(0)
    gains = rng.normal(0, 0.03, (5, 5))
    np.fill_diagonal(gains, 0.0)
    best = max(
        float(measure_gain(gains, np.array(labels)))
        for labels in itertools.product(range(5), repeat=5)
    )
    assert float(measure_gain(gains, search(gains, []))) == pytest.approx(best)


def test_moves_of_single_tasks_keep_strangers_apart_among_many_tasks() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(24) % 4
    gains = np.where(truth[:, None] == truth, 0.05, -0.03) + rng.normal(0, 0.005, (24, 24))
    np.fill_diagonal(gains, 0.0)
    found = search(gains, [np.zeros(24, dtype=np.int64), np.arange(24)])
    assert measure_gain(gains, found) >= measure_gain(gains, truth)
    assert measure_gain(gains, improve(gains, truth)) >= measure_gain(gains, truth)
    inside = found[:, None] == found
    assert (truth[:, None] == truth)[inside].all()


def test_odds_and_what_is_missed_are_those_of_a_normal_difference() -> None:
    posterior = make_posterior(make_gains(0.02, -0.01), noise=4e-4)
    decision = decide(posterior, {"families": FAMILIES})
    chosen = weigh(decision.chosen.labels)
    for name, labels in (("all", np.zeros(6, dtype=np.int64)), ("alone", np.arange(6))):
        mean, deviation = posterior.expect(chosen - weigh(labels))
        draws = stats.norm(mean, deviation).rvs(200_000, random_state=0)
        assert decision.odds[name] == pytest.approx((draws >= 0).mean(), abs=0.01)
        missed = np.maximum(-draws, 0).mean()
        assert decision.missed[name] == pytest.approx(missed, abs=2e-4)
    assert decision.odds["families"] == 1.0 or decision.others["families"].groups != 2


def test_weights_of_a_partition_give_its_mean_gain() -> None:
    rng = np.random.default_rng(1)
    gains, labels = rng.normal(size=(6, 6)), np.array([0, 1, 0, 2, 1, 0])
    np.fill_diagonal(gains, 0.0)
    assert (weigh(labels) * gains).sum() == pytest.approx(float(measure_gain(gains, labels)) / 6)


def test_pure_noise_about_a_loss_is_left_alone() -> None:
    rng = np.random.default_rng(5)
    verdicts = []
    for _ in range(20):
        values = -0.03 + rng.normal(0, 0.03, (9, 9))
        np.fill_diagonal(values, 0.0)
        draws = values + rng.normal(0, 0.03, (200, 9, 9))
        draws[:, range(9), range(9)] = 0.0
        verdicts.append(decide(GainPosterior.of(values, draws)).verdict)
    assert verdicts.count("alone") >= 17
