"""Simulated sweeps with a known truth, and the bootstrap's speed: slow, asked for with -m slow."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from places import TESTS

SIMULATION = runpy.run_path(str(TESTS / "simulations" / "coverage.py"))
SWEEPS = 150


@pytest.mark.slow
@pytest.mark.parametrize("world", SIMULATION["WORLDS"])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_nominal_95_percent_intervals_cover_92_to_97_percent(world: str, seeds: int) -> None:
    found = SIMULATION["measure_coverage"](SIMULATION["WORLDS"][world], seeds, SWEEPS)
    # Arms with little variance are drawn towards their target's others: theirs cover too often.
    most = 0.98 if world == "unequal seed variances" else 0.97
    # 1,800 cells of 150 sweeps: a standard error of half a point
    assert 0.92 <= found.covered <= most
    assert found.false_positives < 0.075


def test_a_simulated_truth_is_the_mean_over_many_seeds_and_examples() -> None:
    import numpy as np

    world = SIMULATION["World"](dev=(40_000, 40_000))
    predictions, truth = SIMULATION["draw_sweep"](world, 150, 150, np.random.default_rng(0))
    for t, task in enumerate(predictions):
        single, (joint,) = predictions[task].single, predictions[task].joint.values()
        gain = joint.values.mean() / single.values.mean() - 1
        # 150 seeds: a standard error near 0.006
        assert gain == pytest.approx(truth[1 - t, t], abs=0.02)


@pytest.mark.slow
def test_a_thousand_draws_of_a_whole_sweep_take_less_than_a_minute_and_two_gigabytes(
    root: Path,
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, str(root / "benchmarks" / "bootstrap.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
