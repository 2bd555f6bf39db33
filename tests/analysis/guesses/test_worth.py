"""What a guess is worth: hand-worked regrets, ties over all orders, and what says nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from analysis.gains.additive import find_cells
from analysis.guesses.worth import (
    correlate_sources,
    expect_regret,
    gain_in_groups,
    gain_in_random_groups,
    group_by_guess,
)
from analysis.partitions.agreement import compare_labels
from analysis.ranks import rank_correlation


def draw(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(size, size))


def test_regret_is_that_of_the_source_put_first() -> None:
    # Sources of target 0: 1 gains .3, 2 gains .1, 3 gains .2. The guess puts 3 first: .3 - .2.
    gains, guess = np.zeros((2, 4, 4))
    gains[1:, 0] = 0.3, 0.1, 0.2
    guess[1:, 0] = 2, 1, 3
    assert expect_regret(guess, gains[None], 1)[0, 0] == pytest.approx(0.1)
    assert expect_regret(guess, gains[None], 2)[0, 0] == 0  # the best is second


@pytest.mark.parametrize("k", [1, 2, 3, 5, 9])
def test_regret_with_ties_is_the_mean_over_all_their_orders(k: int) -> None:
    gains = draw(6)[None]
    guess = np.tile([[0.0], [2], [1], [1], [1], [0]], (1, 6))
    for target in range(6):
        sources = [s for s in range(6) if s != target]
        orders = [
            order
            for order in itertools.permutations(sources)
            if [guess[s, 0] for s in order] == sorted((guess[s, 0] for s in sources), reverse=True)
        ]
        best = [max(gains[0, s, target] for s in order[:k]) for order in orders]
        expected = gains[0, sources, target].max() - np.mean(best)
        assert expect_regret(guess, gains, k)[0, target] == pytest.approx(expected)


def test_the_correlation_is_that_of_each_targets_sources() -> None:
    guess, truths = draw(7), draw(49, 1)[:7].reshape(7, 7, 7)
    found = correlate_sources(guess, truths)
    cells = find_cells(guess)
    for b, t in itertools.product(range(7), range(7)):
        kept = cells[:, t]
        expected = rank_correlation(guess[kept, t], truths[b, kept, t])
        assert found[b, t] == pytest.approx(expected)


def test_a_guess_that_tells_nothing_apart_has_correlation_0_and_the_regret_of_chance() -> None:
    gains = draw(5)[None]
    for nothing in (np.zeros((5, 5)), np.full((5, 5), np.nan)):
        np.testing.assert_array_equal(correlate_sources(nothing, gains), 0)
        off = np.where(find_cells(gains[0]), gains[0], np.nan)
        chance = np.nanmax(off, axis=0) - np.nanmean(off, axis=0)
        np.testing.assert_allclose(expect_regret(nothing, gains, 1)[0], chance)


def test_equal_gains_and_two_sources_cannot_be_ranked() -> None:
    assert np.isnan(correlate_sources(draw(5), np.zeros((1, 5, 5)))).all()
    assert np.isnan(correlate_sources(draw(3), draw(3)[None])).all()
    assert np.isnan(expect_regret(draw(1), draw(1)[None], 1)).all()


def test_an_unknown_source_counts_as_the_targets_average_one() -> None:
    gains, guess = np.zeros((2, 4, 4))
    gains[1:, 0] = 0.3, 0.1, 0.2
    guess[1:, 0] = np.nan, 1, 2  # taken for 1.5: the order 3, 1, 2
    # ranks of the gains 3, 1, 2 and of the guess 2, 1, 3: 1 - 6 (1 + 0 + 1) / 24 = .5
    assert correlate_sources(guess, gains[None])[0, 0] == pytest.approx(0.5)


def test_neither_the_order_of_tasks_nor_a_rising_scale_matters() -> None:
    guess, gains = draw(6), draw(6, 1)
    turn = np.random.default_rng(2).permutation(6)
    turned = np.ix_(turn, turn)
    for k in (1, 3):
        found = expect_regret(guess, gains[None], k)[0]
        np.testing.assert_allclose(
            expect_regret(guess[turned], gains[turned][None], k)[0], found[turn]
        )
        np.testing.assert_allclose(expect_regret(np.exp(3 * guess), gains[None], k)[0], found)
    found = correlate_sources(guess, gains[None])[0]
    np.testing.assert_allclose(correlate_sources(np.exp(guess), gains[None])[0], found)


@pytest.mark.parametrize("size", [9, 15])
@pytest.mark.parametrize("holds_gains", [True, False])
def test_a_guess_of_families_groups_them(size: int, holds_gains: bool) -> None:
    family = np.arange(size) % 3
    guess = np.where(family[:, None] == family, 0.1, -0.1) + 0.01 * draw(size)
    if not holds_gains:
        guess = 5 + guess + np.arange(size)  # a likeness on each target's own scale
    labels = group_by_guess(guess, 3, holds_gains=holds_gains)
    if holds_gains:  # parts of a family gain as much as the whole
        assert all(len(set(family[labels == group])) == 1 for group in set(labels.tolist()))
    else:
        assert compare_labels(labels[None], family)[0] == 1


def test_what_tasks_gain_in_groups() -> None:
    # Task 0 with 1 and 2: (.1 + .3) / 2; 3 alone: 0.
    gains = np.zeros((1, 4, 4))
    gains[0, 1:, 0] = 0.1, 0.3, 9
    found = gain_in_groups(gains, np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(found, [[0.2, 0, 0, 0]])


def test_random_groups_of_all_tasks_are_that_group() -> None:
    gains, labels = draw(5)[None], np.zeros(5, np.int64)
    np.testing.assert_allclose(gain_in_random_groups(gains, labels), gain_in_groups(gains, labels))
