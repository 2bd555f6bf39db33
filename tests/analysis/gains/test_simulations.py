"""Simulated sweeps with a known truth, and the bootstrap's speed: the slow ones with -m slow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from analysis.scores.resampling import score_runs
from benchmarks.coverage import WORLDS, World, draw_sweep, find_truth, measure_coverage

SWEEPS = 150


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_nominal_95_percent_intervals_cover_92_to_97_percent(world: str, seeds: int) -> None:
    found = measure_coverage(WORLDS[world], seeds, SWEEPS)
    # 1,800 cells of 150 sweeps: a standard error of half a point, more where cells share runs
    assert 0.92 <= found.covered <= 0.98
    assert found.false_positives < 0.075
    assert found.detected > 0.72


def test_a_few_sweeps_cover_about_as_often_as_they_should() -> None:
    found = measure_coverage(World(dev=(100, 200, 300)), seeds=3, sweeps=12, draws=100)
    assert 0.85 < found.covered <= 1  # 72 cells
    assert found.false_positives < 0.2
    assert found.power > found.false_positives


@pytest.mark.parametrize("metric", ["label_f1_macro", "entity_f1"])
def test_a_few_sweeps_of_other_answers_cover_about_as_often_as_they_should(
    metric: Literal["label_f1_macro", "entity_f1"],
) -> None:
    world = World(dev=(100, 200, 300), metric=metric)
    found = measure_coverage(world, seeds=3, sweeps=8, draws=100)
    assert 0.85 < found.covered <= 1  # 48 cells
    assert found.false_positives < 0.2


@pytest.mark.parametrize("metric", ["accuracy", "f1", "pearson", "label_f1_macro", "entity_f1"])
@pytest.mark.parametrize("collapsed", [0.0, 0.2])
def test_a_simulated_truth_is_the_mean_over_many_seeds_and_examples(
    metric: str, collapsed: float
) -> None:
    size = 8_000 if metric == "entity_f1" else 20_000  # sentences have several entities
    world = World(dev=(size, size), metric=metric, collapsed=collapsed)  # type: ignore[arg-type]
    predictions = draw_sweep(world, 120, 120, np.random.default_rng(0))
    alone, joint = find_truth(world)
    for t, found in enumerate(predictions.values()):
        (partner,) = found.joint.values()
        # 120 seeds: a standard error near 0.004, and 0.02 with collapses
        margin = 0.06 if collapsed else 0.015
        assert score_runs(found, found.single.values).mean() == pytest.approx(alone[t], abs=margin)
        assert score_runs(found, partner.values).mean() == pytest.approx(
            joint[1 - t, t], abs=margin
        )


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
