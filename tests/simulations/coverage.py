"""Do nominal 95 % intervals cover the truth 95 times in 100? Simulated sweeps with a known truth.

    python tests/simulations/coverage.py            # two minutes: seeds 3, 5 and 10
    python tests/simulations/coverage.py --sweeps 400

A run is right about a dev example where

    m_arm + a_run + d_example + c_(arm, example) + e_(run, example) > 0

with normal terms: how good the arm is, how well this seed came out (seed variance), how hard the
example is (example variance), what the partner changes about it in every run, and what a run errs
on by itself. The truth is the score over all seeds and all examples of the population,
Phi(m / sqrt(sum of the variances)), so the true gain of every cell is known exactly. The `a` of a
joint run's two tasks are correlated. Half of the cells have a true gain of zero: their p-values
tell how often nothing is called something.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from analysis.arrays import Floats
from analysis.gains.bootstrap import bootstrap_gains
from analysis.scores.predictions import Arm, Predictions


@dataclass(frozen=True)
class World:
    """What the simulated sweeps are drawn from. SDs are on the latent scale.

    Attributes:
        dev: dev examples of each task; as many tasks as entries.
        seed_sd: of a single run; joint runs have it times 1 to `spread`.
        spread: the largest ratio between the seed SDs of a target's arms.
        shared: correlation of a joint run's two scores over seeds.
    """

    dev: tuple[int, ...] = (60, 150, 300, 600)
    seed_sd: float = 0.15
    example_sd: float = 1.0
    partner_sd: float = 0.3
    run_sd: float = 0.6
    spread: float = 1.0
    shared: float = 0.5


WORLDS = {
    "seeds and examples": World(),
    "large seed variance": World(seed_sd=0.35),
    "hardly any seed variance": World(seed_sd=0.02),
    "unequal seed variances": World(seed_sd=0.15, spread=2.5),
}


@dataclass(frozen=True)
class Coverage:
    """Shares of cells, over all sweeps of a world.

    Attributes:
        covered: the interval holds the true gain.
        false_positives: p < .05 where the true gain is zero.
        cells: number of cells behind `covered`.
    """

    covered: float
    false_positives: float
    cells: int


def measure_coverage(
    world: World, seeds: int, sweeps: int = 100, draws: int = 1000, single_seeds: int | None = None
) -> Coverage:
    """Simulate sweeps; count how often intervals of relative gains hold the truth."""
    hits, alarms = [], []
    for number in range(sweeps):
        rng = np.random.default_rng([seeds, number])
        predictions, truth = draw_sweep(world, seeds, single_seeds or seeds, rng)
        found = bootstrap_gains(predictions, draws, seed=number)
        low, high = found.interval("relative")
        away = ~np.eye(len(truth), dtype=bool)
        hits.append(((low <= truth) & (truth <= high))[away])
        alarms.append(found.p_values[away & (truth == 0)] < 0.05)
    covered = np.concatenate(hits)
    return Coverage(float(covered.mean()), float(np.concatenate(alarms).mean()), int(covered.size))


def draw_sweep(
    world: World, seeds: int, single_seeds: int, rng: np.random.Generator
) -> tuple[dict[str, Predictions], Floats]:
    """Return a sweep's dev predictions and its true relative gains, [T, T]."""
    size = len(world.dev)
    names = [f"task{i}" for i in range(size)]
    base = np.linspace(0.2, 1.0, size)
    shift = np.where(np.add.outer(np.arange(size), np.arange(size)) % 2, 0.0, 0.25)
    np.fill_diagonal(shift, 0.0)
    ratio = np.linspace(1.0, world.spread, size)  # the seed SD of runs with each partner
    both = {pair: _draw_pair(world.shared, seeds, rng) for pair in combinations(range(size), 2)}
    predictions, truth = {}, np.zeros((size, size))
    for t, dev in enumerate(world.dev):
        hard = rng.normal(0, world.example_sd, dev)
        alone = _score(world, base[t], world.seed_sd)
        single = _draw_arm(
            world, base[t], world.seed_sd * rng.standard_normal(single_seeds), hard, rng
        )
        joint = {}
        for s in range(size):
            if s != t:
                seed_sd = world.seed_sd * ratio[s]
                # the same population score as alone where the shift is zero
                level = base[t] * _scale(world, seed_sd) / _scale(world, world.seed_sd)
                level += shift[s, t]
                truth[s, t] = _score(world, level, seed_sd) / alone - 1 if shift[s, t] else 0.0
                luck = seed_sd * both[min(s, t), max(s, t)][int(s < t)]
                joint[names[s]] = _draw_arm(world, level, luck, hard, rng)
        predictions[names[t]] = Predictions(
            task=names[t],
            metric="accuracy",
            labels=np.ones(dev, dtype=np.int64),
            splits=np.full(dev, "validation", dtype=object),
            questions=np.full(dev, -1),
            single=single,
            joint=joint,
        )
    return predictions, truth


def _draw_pair(shared: float, seeds: int, rng: np.random.Generator) -> Floats:
    """Return standard normal luck of each seed for both tasks of a pair, [2, S]."""
    one, other = rng.standard_normal((2, seeds))
    return np.stack([one, shared * one + math.sqrt(1 - shared**2) * other])


def _draw_arm(
    world: World, level: float, luck: Floats, hard: Floats, rng: np.random.Generator
) -> Arm:
    lasting = rng.normal(0, world.partner_sd, len(hard))
    own = rng.normal(0, world.run_sd, (len(luck), len(hard)))
    latent = level + luck[:, None] + hard + lasting + own
    return Arm(tuple(range(len(luck))), (latent > 0).astype(np.int64))


def _scale(world: World, seed_sd: float) -> float:
    parts = (seed_sd, world.example_sd, world.partner_sd, world.run_sd)
    return math.sqrt(sum(part**2 for part in parts))


def _score(world: World, level: float, seed_sd: float) -> float:
    return float(stats.norm.cdf(level / _scale(world, seed_sd)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line per world and number of seeds."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sweeps", type=int, default=100)
    parser.add_argument("--seeds", default="3,5,10")
    options = parser.parse_args(arguments)
    for name, world in WORLDS.items():
        for seeds in map(int, options.seeds.split(",")):
            found = measure_coverage(world, seeds, options.sweeps)
            print(  # noqa: T201 (a program that prints its numbers)
                f"{name:26} {seeds:2} seeds: {found.covered:.1%} of {found.cells} intervals hold "
                f"the true gain; p < .05 in {found.false_positives:.1%} of the cells without one",
                flush=True,
            )
    one = measure_coverage(WORLDS["seeds and examples"], 1, options.sweeps)
    print(f"one seed, for comparison: {one.covered:.1%}")  # noqa: T201


if __name__ == "__main__":
    main()
