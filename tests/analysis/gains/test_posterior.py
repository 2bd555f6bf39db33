"""Noisy gains are shrunk as far as their noise demands."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.arrays import Floats
from analysis.gains.posterior import (
    Components,
    GainPosterior,
    Noise,
    measure_cell_noise,
    measure_components,
)

SIZE = 5


def make_noise(variance: float, shared: float = 0.0) -> Noise:
    return Noise(np.full((SIZE, SIZE), variance), np.full(SIZE, shared))


def make_gains(seed: int, spread: float = 0.03) -> Floats:
    gains = np.random.default_rng(seed).normal(0.0, spread, (SIZE, SIZE))
    np.fill_diagonal(gains, 0.0)
    return gains


def solve_densely(values: Floats, noise: Noise, parts: Components) -> tuple[Floats, Floats]:
    """Return mean and covariance of all off-diagonal gains by the textbook's formula."""
    source, target = np.nonzero(~np.eye(SIZE, dtype=bool))
    same_source = source[:, None] == source
    same_target = target[:, None] == target
    measured = values[source, target]
    level = 100 * (measured.var() + noise.variance[source, target].mean() + 1e-12)
    one = np.eye(len(source))
    prior = level + parts.source * same_source + parts.target * same_target + parts.pair * one
    shared = noise.shared[target] * same_target
    error = shared + one * (noise.variance[source, target] - noise.shared[target])
    gain = prior @ np.linalg.inv(prior + error)
    mean = measured.mean() + gain @ (measured - measured.mean())
    return mean, prior - gain @ prior


@pytest.mark.parametrize("shared", [0.0, 2e-4])
@pytest.mark.parametrize("parts", [Components(1e-4, 2e-4, 3e-4), Components(0, 0, 1e-3)])
def test_mean_and_deviation_are_those_of_the_formula(shared: float, parts: Components) -> None:
    values, noise = make_gains(0), make_noise(5e-4, shared)
    posterior = GainPosterior(values, noise, parts)
    mean, covariance = solve_densely(values, noise, parts)
    cells = ~np.eye(SIZE, dtype=bool)
    np.testing.assert_allclose(posterior.mean[cells], mean, rtol=1e-6, atol=1e-9)
    weights = np.random.default_rng(1).normal(size=(SIZE, SIZE))
    own = weights[cells]
    found = posterior.expect(weights)
    assert found == pytest.approx((own @ mean, np.sqrt(own @ covariance @ own)), rel=1e-5)


def test_without_noise_gains_are_what_was_measured() -> None:
    values = make_gains(2)
    posterior = GainPosterior(values, make_noise(0.0), Components(1e-4, 1e-4, 1e-4))
    np.testing.assert_allclose(posterior.mean, values, atol=1e-6)


def test_with_nothing_but_noise_all_gains_are_their_mean() -> None:
    values = make_gains(3)
    posterior = GainPosterior(values, make_noise(9e-4), Components(0.0, 0.0, 0.0))
    cells = ~np.eye(SIZE, dtype=bool)
    assert posterior.mean[cells] == pytest.approx(values[cells].mean(), rel=0.05)
    unknown = GainPosterior.of_unknown_noise(values)
    assert np.ptp(unknown.mean[cells]) < 1e-6


def test_draws_of_the_truth_have_its_mean_and_covariance() -> None:
    values, noise = make_gains(4), make_noise(5e-4, 2e-4)
    parts = Components(1e-4, 2e-4, 3e-4)
    rng, count, cells = np.random.default_rng(0), 6000, ~np.eye(SIZE, dtype=bool)
    off = rng.normal(0, np.sqrt(3e-4), (count, SIZE, SIZE))
    off += rng.normal(0, np.sqrt(2e-4), (count, 1, SIZE))
    found = GainPosterior(values, noise, parts).sample(off, rng)[:, cells]
    mean, covariance = solve_densely(values, noise, parts)
    np.testing.assert_allclose(found.mean(axis=0), mean, atol=2e-3)
    np.testing.assert_allclose(np.cov(found.T), covariance, atol=0.06 * covariance.max())


def test_a_matrix_as_noisy_is_shrunk_alike() -> None:
    values, noise = make_gains(5), make_noise(5e-4, 1e-4)
    posterior = GainPosterior(values, noise, Components(1e-4, 2e-4, 3e-4))
    np.testing.assert_allclose(posterior.shrink(values[None])[0], posterior.mean, atol=1e-8)


def test_gains_that_stand_out_are_expected_where_another_half_finds_them() -> None:
    rng = np.random.default_rng(1)
    raw, expected, held_out = [], [], []
    for _ in range(40):
        truth = rng.normal(0, 0.02, (9, 9)) + rng.normal(0, 0.02, (1, 9))
        one, other = truth + rng.normal(0, 0.03, (2, 9, 9))
        draws = one + rng.normal(0, 0.03, (150, 9, 9))
        for matrix in (one, other, *draws):
            np.fill_diagonal(matrix, 0.0)
        mean = GainPosterior.of(one, draws).mean
        chosen = np.argsort(-np.abs(one), axis=None)[:8]
        sign = np.sign(one.ravel()[chosen])
        raw.append((sign * one.ravel()[chosen]).mean())
        expected.append((sign * mean.ravel()[chosen]).mean())
        held_out.append((sign * other.ravel()[chosen]).mean())
    assert np.mean(raw) > 1.4 * np.mean(held_out)
    assert np.mean(expected) == pytest.approx(np.mean(held_out), rel=0.15)


def test_a_collapsed_arm_does_not_hide_what_others_gain() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(0, 0.04, (8, 8))
    values = truth + rng.normal(0, 0.01, (8, 8))
    scale = np.full((8, 8), 0.01)
    scale[0, 1] = scale[2, 5] = 0.3  # a run of each collapsed
    draws = values + scale * rng.normal(size=(300, 8, 8))
    found = measure_components(values, draws)
    assert np.sqrt(found.pair + found.source + found.target) == pytest.approx(0.04, rel=0.35)


def test_an_unmeasured_gain_is_that_of_its_source_and_target() -> None:
    helpful, values = np.array([0.1, 0.0, 0.0, 0.0, -0.1]), np.zeros((SIZE, SIZE))
    values += helpful[:, None]
    values[0, 3] = np.nan
    np.fill_diagonal(values, 0.0)
    posterior = GainPosterior(values, make_noise(1e-6), Components(5e-3, 1e-6, 1e-6))
    assert posterior.mean[0, 3] == pytest.approx(0.1, abs=0.005)


def test_noise_is_read_off_the_draws() -> None:
    rng = np.random.default_rng(0)
    own = rng.normal(0, 0.02, (4000, SIZE, SIZE))
    together = rng.normal(0, 0.03, (4000, 1, SIZE))
    noise = measure_cell_noise(own + together)
    cells = ~np.eye(SIZE, dtype=bool)
    assert noise.variance[cells].mean() == pytest.approx(0.02**2 + 0.03**2, rel=0.05)
    assert noise.shared.mean() == pytest.approx(0.03**2, rel=0.1)


def test_variances_of_the_parts_are_found_behind_the_noise() -> None:
    rng, found, size = np.random.default_rng(0), [], 12
    for _ in range(40):
        truth = (
            rng.normal(0, 0.02, (size, 1))
            + rng.normal(0, 0.03, (1, size))
            + rng.normal(0, 0.04, (size, size))
        )
        values = truth + rng.normal(0, 0.05, (size, size))
        draws = values + rng.normal(0, 0.05, (150, size, size))
        for each in (values, *draws):
            np.fill_diagonal(each, 0.0)
        parts = measure_components(values, draws)
        found.append((parts.source, parts.target, parts.pair))
    assert np.sqrt(np.mean(found, axis=0)) == pytest.approx([0.02, 0.03, 0.04], rel=0.2)
