"""Gains from any runs: a plain Gaussian model, whose intervals hold and which doubts blocks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from analysis.guesses.balanced_blocks import count_meetings, draw_blocks
from analysis.guesses.gain_model import GainModel, Observation
from hmnet.errors import InputError

SIZE, NOISE = 8, 0.01
PAIRS = tuple(itertools.combinations(range(SIZE), 2))


def make_gains(seed: int = 0, size: int = SIZE) -> np.ndarray:
    rng = np.random.default_rng(seed)
    gains = rng.normal(0, 0.03, (size, 1)) + rng.normal(0, 0.02, (1, size))
    gains = gains + rng.normal(0, 0.02, (size, size))
    np.fill_diagonal(gains, 0)
    return gains


def observe(
    gains: np.ndarray, blocks: tuple[tuple[int, ...], ...], seed: int = 1, lack: float = 0.0
) -> list[Observation]:
    """Return noisy observations; `lack` is how far blocks are off their pairs' mean."""
    rng = np.random.default_rng(seed)
    found = []
    for run, block in enumerate(blocks):
        for target in block:
            others = tuple(task for task in block if task != target)
            value = gains[list(others), target].mean() + NOISE * rng.normal()
            value += lack * rng.normal() * (len(others) > 1)
            found.append(Observation(target, others, float(value), NOISE**2, run))
    return found


def fit(gains: np.ndarray, blocks: tuple[tuple[int, ...], ...], **more: object) -> GainModel:
    return GainModel(len(gains), observe(gains, blocks), np.full(len(gains), 1e-5), **more)  # type: ignore[arg-type]


def condition_plainly(model: GainModel, observations: list[Observation]) -> tuple[np.ndarray, ...]:
    """Return mean and SD of every cell by one dense Gaussian conditional over all T x T cells."""
    source, target = (each.ravel() for each in np.indices((SIZE, SIZE)))
    parts = model.variances
    prior = (
        model._flat
        + parts[0] * (source[:, None] == source)
        + parts[1] * (target[:, None] == target)
        + parts[2] * np.eye(SIZE * SIZE)
    )
    weights = np.zeros((len(observations), SIZE * SIZE))
    for row, each in enumerate(observations):
        weights[row, [s * SIZE + each.target for s in each.sources]] = 1 / len(each.sources)
    own = np.array([each.target for each in observations])
    noise = np.diag([each.variance + 1e-10 for each in observations])
    noise += 1e-5 * (own[:, None] == own)
    noise += parts[4] * np.diag([float(len(each.sources) > 1) for each in observations])
    whole = weights @ prior @ weights.T + noise
    off = np.array([each.value for each in observations]) - model.level
    mean = model.level + prior @ weights.T @ np.linalg.solve(whole, off)
    rest = prior - prior @ weights.T @ np.linalg.solve(whole, weights @ prior)
    return mean.reshape(SIZE, SIZE), np.sqrt(np.diag(rest)).reshape(SIZE, SIZE)


@pytest.mark.parametrize("blocks", [PAIRS[:12], tuple(draw_blocks(SIZE, 4, 8))])
def test_it_is_the_gaussian_conditional_of_all_cells(blocks: tuple[tuple[int, ...], ...]) -> None:
    gains = make_gains()
    model = fit(gains, blocks)
    mean, deviation = condition_plainly(model, observe(gains, blocks))
    off = ~np.eye(SIZE, dtype=bool)
    np.testing.assert_allclose(model.mean[off], mean[off], atol=1e-7)
    np.testing.assert_allclose(model.deviation[off], deviation[off], rtol=1e-4)
    weights = np.zeros((SIZE, SIZE))
    weights[2, 5] = 1
    assert model.expect(weights) == pytest.approx((mean[2, 5], deviation[2, 5]), rel=1e-4)


def test_draws_have_the_models_mean_and_deviation() -> None:
    model = fit(make_gains(), PAIRS[:12])
    draws = model.sample(4000, np.random.default_rng(0))
    off = ~np.eye(SIZE, dtype=bool)
    np.testing.assert_allclose(draws.std(axis=0)[off], model.deviation[off], rtol=0.1)
    error = (draws.mean(axis=0) - model.mean)[off] / model.deviation[off]
    assert np.abs(error).max() < 0.08


def test_the_order_of_tasks_and_runs_does_not_matter() -> None:
    observations = observe(make_gains(), PAIRS[:12])
    turn = np.random.default_rng(3).permutation(SIZE)
    turned = [
        Observation(
            int(turn[o.target]), tuple(int(turn[s]) for s in o.sources), o.value, o.variance, o.run
        )
        for o in observations[::-1]
    ]
    shared = np.full(SIZE, 1e-5)
    one, other = (GainModel(SIZE, each, shared) for each in (observations, turned))
    np.testing.assert_allclose(other.mean[np.ix_(turn, turn)], one.mean, atol=1e-5)


def test_a_telling_measure_helps_where_no_run_was_and_a_silent_one_does_no_harm() -> None:
    gains = make_gains()
    off = ~np.eye(SIZE, dtype=bool)
    blocks = tuple(draw_blocks(SIZE, 2, 10))
    noise = np.random.default_rng(5).normal(size=(2, SIZE, SIZE))
    own = gains - gains.sum(axis=0) / (SIZE - 1)
    telling = np.stack([own + 0.005 * noise[0], noise[1]])
    models = [
        fit(gains, blocks),
        fit(gains, blocks, measures=telling),
        fit(gains, blocks, measures=noise),
    ]
    unseen = off & ~models[0].is_measured
    plain, with_telling, with_noise = (
        np.sqrt(((model.mean - gains)[unseen] ** 2).mean()) for model in models
    )
    assert with_telling < 0.8 * plain
    assert with_noise < 1.15 * plain


def test_intervals_of_unmeasured_cells_hold_what_they_should() -> None:
    """Twelve made studies of ten tasks, 20 of 45 pairs run."""
    inside, ahead = [], []
    for seed in range(12):
        gains = make_gains(seed, 10)
        model = GainModel(
            10, observe(gains, tuple(draw_blocks(10, 2, 20, seed)), seed), np.zeros(10)
        )
        unseen = ~np.eye(10, dtype=bool) & ~model.is_measured
        again = gains + NOISE * np.random.default_rng(seed + 50).normal(size=gains.shape)
        for found, truth, kept in (
            (model.interval(), gains, inside),
            (model.interval_of_measured(), again, ahead),
        ):
            low, high = (each[unseen] for each in found)
            kept.append(((low <= truth[unseen]) & (truth[unseen] <= high)).mean())
    assert 0.86 < np.mean(inside) <= 0.99
    assert 0.86 < np.mean(ahead) <= 0.99


def test_blocks_that_do_not_add_up_are_doubted_and_others_rarely() -> None:
    blocks = tuple(draw_blocks(SIZE, 4, 16))
    p_values = {
        lack: [
            GainModel(SIZE, observe(make_gains(seed), blocks, seed, lack), np.zeros(SIZE))
            .test_additivity()
            .p_value
            for seed in range(5)
        ]
        for lack in (0.0, 0.06)
    }
    assert np.median(p_values[0.06]) < 0.05
    assert np.median(p_values[0.0]) > 0.05
    assert np.isnan(fit(make_gains(), PAIRS[:12]).test_additivity().p_value)


@pytest.mark.parametrize(("tasks", "size", "count"), [(13, 4, 26), (12, 3, 20), (9, 3, 12)])
def test_every_two_tasks_meet_about_equally_often(tasks: int, size: int, count: int) -> None:
    blocks = draw_blocks(tasks, size, count)
    meetings = count_meetings(blocks, tasks)
    off = meetings[~np.eye(tasks, dtype=bool)]
    assert off.max() - off.min() <= 2
    assert np.diag(meetings).max() - np.diag(meetings).min() <= 2
    assert len(set(blocks)) == count
    assert all(len(set(block)) == size for block in blocks)


def test_pairs_are_each_drawn_once_before_any_comes_again() -> None:
    assert draw_blocks(6, 2, 15) == list(itertools.combinations(range(6), 2))
    given = [(0, 1), (2, 3)]
    assert not set(given) & set(draw_blocks(6, 2, 5, given=given))


def test_a_design_that_cannot_be_is_refused_with_all_its_problems() -> None:
    with pytest.raises(InputError) as caught:
        draw_blocks(5, 6, 0)
    assert [text.split("`")[1] for text in caught.value.problems] == ["block_size", "budget"]
