"""Where groups of tasks part, from gradients that are made: what is planted is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis.partitions.decision import decide
from analysis.partitions.shared_layers import (
    LayerAgreement,
    find_parting,
    find_shared,
    measure_agreement,
    summarise_agreement,
)
from benchmarks.decisions import Study as MeasuredGains
from benchmarks.decisions import measure, see

LABELS = np.array([0, 0, 0, 1, 1, 1])
DEPTH, BATCHES, NUMBERS = 6, 8, 4096


def make_sketches(
    across: Any, within: float = 0.6, noise: float = 3.0, seed: int = 0
) -> np.ndarray[Any, Any]:
    """Return gradients whose true cosines are `within` in a group and `across[layer]` elsewhere.

    Noise is that many times as long as a mean gradient.
    """
    rng = np.random.default_rng(seed)
    found = np.empty((DEPTH, len(LABELS), BATCHES, NUMBERS), np.float32)
    for layer, cosine in enumerate(across):
        same = LABELS[:, None] == LABELS
        wanted = np.where(same, within, cosine) + (1 - within) * np.eye(len(LABELS))
        root = np.linalg.cholesky(wanted)
        basis = np.linalg.qr(rng.normal(size=(NUMBERS, len(LABELS))))[0].T
        means = root @ basis  # of length 1
        rough = rng.normal(size=(len(LABELS), BATCHES, NUMBERS)) * noise / np.sqrt(NUMBERS)
        found[layer] = means[:, None] + rough
    return found


def test_cosines_of_noisy_gradients_are_the_true_ones() -> None:
    found = measure_agreement(make_sketches([0.4, 0.3, 0.2, 0.1, 0.0, -0.2]))
    within, across = summarise_agreement(found.values, LABELS)
    assert within == pytest.approx([0.6] * DEPTH, abs=0.08)
    assert across == pytest.approx([0.4, 0.3, 0.2, 0.1, 0.0, -0.2], abs=0.08)
    # plain cosines of means are shrunk: 1 / (1 + 9 / 8) of the true ones
    low, high = np.quantile(found.halves[:, 0, 0, 3], [0.025, 0.975])
    assert low < 0.4 < high


def test_groups_part_where_they_agree_less_than_half_as_well() -> None:
    found = measure_agreement(make_sketches([0.5, 0.5, 0.45, 0.1, 0.0, -0.2], noise=1.0))
    parting = find_parting(found, LABELS)
    assert (parting.shared, parting.low, parting.high) == (3, 3, 3)
    order = np.random.default_rng(0).permutation(len(LABELS))
    moved = found.values[:, order][:, :, order]
    assert find_shared(moved, LABELS[order]) == 3
    vague = measure_agreement(make_sketches([0.5, 0.4, 0.32, 0.28, 0.2, 0.1], noise=6.0))
    doubt = find_parting(vague, LABELS)
    assert doubt.low <= doubt.shared <= doubt.high
    assert doubt.low < doubt.high


def test_groups_have_a_layer_of_their_own_and_share_none_where_nothing_is_known() -> None:
    alike = np.ones((DEPTH, 4, 4))
    assert find_shared(alike, np.array([0, 0, 1, 1])) == DEPTH - 1
    assert find_shared(alike * np.nan, np.array([0, 0, 1, 1])) == 0
    apart = np.where(np.eye(4, dtype=bool), 1.0, -0.1) * np.ones((DEPTH, 1, 1))
    assert find_shared(apart, np.arange(4)) == 0


def test_gradients_of_pure_noise_have_no_agreement() -> None:
    rng = np.random.default_rng(0)
    found = measure_agreement(rng.normal(size=(2, 6, BATCHES, 64)).astype(np.float32))
    off = found.values[:, *np.triu_indices(6, 1)]
    assert np.isnan(off).any()  # lengths that are not above zero
    assert abs(np.nanmean(off)) < 0.5


# Against the alternatives, where the truth is known


def gain_by_layer(kind: str, rng: np.random.Generator, size: int = 6) -> Any:
    """Return what sharing each layer gives each target by each source, [L, T, T]."""
    family = np.arange(size) % 2
    same = family[:, None] == family
    lower = np.full((3, size, size), 0.006)
    upper = np.broadcast_to(np.where(same, 0.014, -0.03), (3, size, size))
    if kind == "everything helps":
        upper = np.full((3, size, size), 0.01)
    if kind == "everything harms":
        lower = upper = np.full((3, size, size), -0.01)
    return np.concatenate([lower, upper]) + rng.normal(0, 0.001, (6, size, size))


def value(effects: Any, labels: Any, shared: int) -> float:
    """Return the true mean gain of a task: lower layers shared by all, the others by groups."""
    size = len(labels)
    off = ~np.eye(size, dtype=bool)
    total = 0.0
    for layer, effect in enumerate(effects):
        together = off if layer < shared else (labels[:, None] == labels) & off
        counts = np.maximum(together.sum(axis=0), 1)
        total += float((np.where(together, effect, 0.0).sum(axis=0) / counts).mean())
    return total


def advise(effects: Any, rng: np.random.Generator) -> tuple[Any, int]:
    """Return groups and lower layers, from noisy gains and from agreement with noise."""
    draws = measure(effects.sum(axis=0), 5, rng, spread=np.full(effects.shape[1], 0.01))
    decision = decide(see(MeasuredGains(*draws, np.ones(effects.shape[1]))))
    labels = decision.chosen.labels
    if decision.verdict == "all":
        return labels, len(effects)
    scale = np.abs(effects).max()
    noisy = effects / scale + rng.normal(0, 0.1, (100, *effects.shape))
    agreement = LayerAgreement(effects / scale + rng.normal(0, 0.1, effects.shape), noisy)
    return labels, find_parting(agreement, labels).shared if decision.verdict == "groups" else 0


@pytest.mark.parametrize(
    "kind", ["lower layers go together", "everything helps", "everything harms"]
)
def test_the_advice_is_at_least_as_good_as_the_alternatives(kind: str) -> None:
    won, found = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        effects = gain_by_layer(kind, rng)
        size = effects.shape[1]
        labels, shared = advise(effects, rng)
        others = {
            "all together": value(effects, np.zeros(size, int), 6),
            "alone": 0.0,
            "random groups": value(effects, rng.permutation(size) % 2, 0),
            "by size": value(effects, np.arange(size) // 3, 0),
            "random groups, parted": value(effects, rng.permutation(size) % 2, 3),
        }
        own = value(effects, labels, shared)
        found.append(own - others["all together"])
        won.append(own >= max(others.values()) - 0.003)
    assert np.mean(won) > 0.9
    if kind == "lower layers go together":
        assert np.mean(found) > 0.05  # points of a task's score that plain multi-task loses
