"""Differences between systems on the same tasks, with their uncertainty (Table 1).

Runs of two systems with the same seed see the same batches and start from the same heads, so their
scores are compared run by run. In each draw a task's dev examples are resampled once for all
systems, and the mean difference gets the noise of seeds as in `analysis.gains.bootstrap`: normal,
with a variance that is itself drawn, less the part that resampling the examples shows already.
With one seed there is no such noise to be measured, and the interval holds for these very runs.

The average over tasks is treated as one more task, whose runs are whole seeds: a run of a
multi-task system errs on all its tasks together. Tasks that are scored by an error are no part of
it, as each has a unit of its own (`hmnet.study.metrics.list_averaged`).

Legend: B draws, S seeds, T tasks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats
from analysis.gains.bootstrap import make_generator
from analysis.levels import DRAWS, take_interval
from analysis.scores.predictions import Predictions
from analysis.scores.resampling import resample_scores, score_runs
from analysis.scores.seed_noise import SeedNoise, measure_spread, moderate
from hmnet.study.metrics import list_averaged

AVERAGE = "average"
"""The mean over all tasks, in place of a task."""
LARGE_AVERAGE = "average, large tasks"
"""The same over those tasks whose dev rows are many enough to carry a claim."""
AVERAGES = (AVERAGE, LARGE_AVERAGE)


@dataclass(frozen=True, eq=False)
class SeedScores:
    """Scores of runs that differ in their seed alone, or differences between two such.

    Attributes:
        seeds: S of them.
        scores: shape [S].
        draws: the same under resampled examples, shape [B, S].
    """

    seeds: tuple[int, ...]
    scores: Floats
    draws: Floats

    def select(self, seeds: Sequence[int]) -> SeedScores:
        """Return the runs with some of the seeds, in their order."""
        index = [self.seeds.index(seed) for seed in seeds]
        return SeedScores(tuple(seeds), self.scores[index], self.draws[:, index])

    def subtract(self, other: SeedScores) -> SeedScores:
        """Return the differences of the runs that share a seed."""
        seeds = [seed for seed in self.seeds if seed in other.seeds]
        one, two = self.select(seeds), other.select(seeds)
        return SeedScores(one.seeds, one.scores - two.scores, one.draws - two.draws)


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Attributes:
        value: the mean.
        low, high: its interval.
        seeds: number of seeds; with one, the interval lacks the noise of seeds.
    """

    value: float
    low: float
    high: float
    seeds: int


Scored = Mapping[str, Mapping[str, SeedScores]]
"""Task to system to its runs."""


def score_systems(
    predictions: Mapping[str, Predictions], reference: str, draws: int = DRAWS, seed: int = 0
) -> dict[str, dict[str, SeedScores]]:
    """Score every system's runs on a task under the same resampled examples; add the average.

    Args:
        predictions: task to its predictions, those of each system in place of a partner's.
        reference: the name of the system that is in place of the single runs.
    """
    scored = {
        task: dict(_score_task(found, reference, draws, seed))
        for task, found in predictions.items()
    }
    counted = list_averaged({task: found.metric for task, found in predictions.items()})
    return {**scored, AVERAGE: dict(_average([scored[t] for t in counted]))} if scored else {}


def _score_task(
    predictions: Predictions, reference: str, draws: int, seed: int
) -> Iterator[tuple[str, SeedScores]]:
    arms = predictions.arms
    values = np.concatenate([arm.values for arm in arms.values()])
    rng = make_generator(seed, "examples", predictions.task)
    bounds = np.cumsum([len(arm.seeds) for arm in arms.values()])[:-1]
    scores = np.split(score_runs(predictions, values), bounds)
    drawn = np.split(resample_scores(predictions, values, draws, rng), bounds, axis=1)
    for (name, arm), own, own_drawn in zip(arms.items(), scores, drawn, strict=True):
        yield name or reference, SeedScores(arm.seeds, own, own_drawn)


def average_tasks(scored: Scored, names: Sequence[str]) -> dict[str, SeedScores]:
    """Return the mean over some tasks of each system that has them all."""
    return dict(_average([scored[name] for name in names]))


def _average(tasks: Sequence[Mapping[str, SeedScores]]) -> Iterator[tuple[str, SeedScores]]:
    """Yield the mean over tasks of each system that has them all, for the seeds that it has all."""
    for system in tasks[0]:
        runs = [found[system] for found in tasks if system in found]
        seeds = [s for s in runs[0].seeds if all(s in other.seeds for other in runs)]
        if len(runs) == len(tasks) and seeds:
            kept = [r.select(seeds) for r in runs]
            scores = np.mean([r.scores for r in kept], axis=0)
            yield system, SeedScores(tuple(seeds), scores, np.mean([r.draws for r in kept], axis=0))


def estimate_scores(scored: Scored, seed: int = 0) -> dict[tuple[str, str], Estimate]:
    """Return task and system to its mean score."""
    return _estimate(scored, "score", seed)


def estimate_differences(
    scored: Scored, reference: str, seed: int = 0
) -> dict[tuple[str, str], Estimate]:
    """Return task and system to how far it is above the reference system."""
    differences = {
        task: {
            name: runs.subtract(systems[reference])
            for name, runs in systems.items()
            if name != reference and set(runs.seeds) & set(systems[reference].seeds)
        }
        for task, systems in scored.items()
        if reference in systems
    }
    return _estimate(differences, f"above {reference}", seed)


def _estimate(scored: Scored, what: str, seed: int) -> dict[tuple[str, str], Estimate]:
    """Estimate means; an average's variance is measured by itself, not pooled with a task's."""
    known = {task: systems for task, systems in scored.items() if systems}
    tasks = {task: systems for task, systems in known.items() if task not in AVERAGES}
    averages = ({task: known[task]} for task in AVERAGES if task in known)
    found: dict[tuple[str, str], Estimate] = {}
    for family in (tasks, *averages):
        for task, noise in _measure_noise(family).items():
            for index, (system, runs) in enumerate(scored[task].items()):
                rng = make_generator(seed, what, task, system)
                found[task, system] = _estimate_mean(runs, noise, index, rng)
    return found


def _measure_noise(scored: Scored) -> dict[str, SeedNoise]:
    """Return task to how its systems' runs vary over seeds."""
    if not scored:
        return {}
    arms = [list(systems.values()) for systems in scored.values()]
    spreads = [measure_spread([r.scores for r in a], [r.draws for r in a]) for a in arms]
    noise = moderate(*(list(part) for part in zip(*spreads, strict=True)))
    return dict(zip(scored, noise, strict=True))


def _estimate_mean(
    runs: SeedScores, noise: SeedNoise, index: int, rng: np.random.Generator
) -> Estimate:
    drawn = runs.draws.mean(axis=1)
    df, count = float(noise.df[index]), len(runs.seeds)
    if df > 0:
        variance = noise.variance[index] * df / rng.chisquare(df, size=len(drawn))
        beyond = np.maximum(variance - noise.sampling[index], 0.0)
        drawn = drawn + rng.standard_normal(len(drawn)) * np.sqrt(beyond / count)
    low, high = take_interval(drawn)
    return Estimate(float(runs.scores.mean()), float(low), float(high), count)
