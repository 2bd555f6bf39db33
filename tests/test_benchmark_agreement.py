"""The benchmark of cheap measures, designs and screens: its judge, and a made suite."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.agreement import (
    SEEDS,
    count_passes,
    describe_worth,
    judge_guess,
    make_suite,
    try_suite,
)


def test_the_truth_as_a_guess_is_perfect() -> None:
    truth = make_suite("families", 6, np.random.default_rng(0)).truth
    found = judge_guess(truth, truth, 1.0, holds_gains=True)
    assert found.spearman == pytest.approx(1)
    assert (found.regret, found.share) == (0, pytest.approx(1))


def test_the_cost_is_of_passes_over_tasks() -> None:
    # 13 tasks, two single seeds, 12 pairs: (26 + 24) / (13 singles + 13 * 12) / 3 seeds
    assert count_passes(13, 12, 2) == pytest.approx(50 / (169 * SEEDS))


def test_every_way_is_judged_on_a_made_suite() -> None:
    rng = np.random.default_rng(0)
    found = try_suite(make_suite("families", 6, rng), rng, 0.3)
    assert {"random order", "full sweep", "design of pairs", "screen"} <= found.keys()
    assert found["random order"].spearman == 0
    assert found["full sweep"].spearman > 0
    assert all(each.cost_frac <= 1 for each in found.values())
    table = list(describe_worth({"families": [found, found]}))
    assert len(table) == 2 + len(found)
