"""Do nominal 95 % intervals cover the truth 95 times in 100? `python -m benchmarks.coverage`.

Simulated sweeps with a known truth, dev predictions in and `bootstrap_gains` out. A run is right
about a dev example where

    m_arm + a_run + d_example + c_(arm, example) + e_(run, example) > 0

with normal terms: how good the arm is, how well this seed came out (seed variance), how hard the
example is (example variance), what the partner changes about it in every run, and what a run errs
on by itself. Of a correlation, the last three are a prediction's error about a normal label, and m
+ a is the logarithm of label to error. Of entities, an example is a sentence with one to four of
them, which share how hard it is; one that is not found right is missed or has the wrong type. Of
sets, an example has each of three labels or not, which share how hard it is and what the partner
changes; a run is right about each or not. The truth is the mean score over all seeds on infinitely
many examples, so that the true gain of every cell is known. The `a` of a joint run's two tasks are
correlated. Some runs collapse: they name one class, or noise, whatever the text says; the truth
counts them with the others. Half of the cells have a true gain of zero: their p-values tell how
often nothing is called something. The others tell how often something is found (power), and the
gain that is stated as detectable with 80 % power is tried where the truth is zero, by adding it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import typer
from scipy import optimize, stats

from analysis.arrays import Floats
from analysis.gains.bootstrap import GainBootstrap, bootstrap_gains, make_generator
from analysis.gains.power import tabulate_power
from analysis.levels import INTERVAL_LEVEL
from analysis.scores.predictions import Arm, Predictions
from benchmarks.entries import Entry
from benchmarks.rows import Material

Metric = Literal["accuracy", "f1", "pearson", "entity_f1", "label_f1_macro"]
Values = npt.NDArray[np.int64] | Floats
POSITIVE = 0.5
"""Share of the positive class among the labels."""
FREQUENT = (0.5, 0.35, 0.2)
"""Share of the examples that have each label of a set."""
WRONG_TYPE = 0.5
"""Share of the entities not found right that have the wrong type; the others are missed."""
MOST_ENTITIES = 4
"""Entities of a sentence, at most."""
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)


@dataclass(frozen=True)
class World:
    """What the simulated sweeps are drawn from. SDs are on the latent scale.

    Attributes:
        dev: dev examples of each task; as many tasks as entries.
        metric: of every task.
        seed_sd: of a single run; joint runs have it times 1 to `spread`.
        spread: the largest ratio between the seed SDs of a target's arms.
        shared: correlation of a joint run's two scores over seeds.
        collapsed: share of the runs that collapse.
    """

    dev: tuple[int, ...] = (60, 150, 300, 600)
    metric: Metric = "accuracy"
    seed_sd: float = 0.15
    example_sd: float = 1.0
    partner_sd: float = 0.3
    run_sd: float = 0.6
    spread: float = 1.0
    shared: float = 0.5
    collapsed: float = 0.0


WORLDS: Mapping[str, World] = {
    "seeds and examples": World(),
    "large seed variance": World(seed_sd=0.35),
    "hardly any seed variance": World(seed_sd=0.02),
    "unequal seed variances": World(spread=2.5),
    "3 % of runs collapsed": World(collapsed=0.03),
    "10 % of runs collapsed": World(collapsed=0.1),
    "F1": World(metric="f1"),
    "F1, unequal": World(metric="f1", spread=2.5),
    "F1, 10 % collapsed": World(metric="f1", collapsed=0.1),
    "correlation": World(metric="pearson"),
    "correlation, unequal": World(metric="pearson", spread=2.5),
    "correlation, 3 % collapsed": World(metric="pearson", collapsed=0.03),
    "correlation, 10 % collapsed": World(metric="pearson", collapsed=0.1),
    "entity F1": World(metric="entity_f1"),
    "entity F1, unequal": World(metric="entity_f1", spread=2.5),
    "entity F1, 3 % collapsed": World(metric="entity_f1", collapsed=0.03),
    "macro F1 of sets": World(metric="label_f1_macro"),
    "macro F1 of sets, unequal": World(metric="label_f1_macro", spread=2.5),
    "macro F1 of sets, 3 % collapsed": World(metric="label_f1_macro", collapsed=0.03),
    "ten tasks, 2 % collapsed": World(dev=(300,) * 10, metric="pearson", collapsed=0.02),
}


@dataclass(frozen=True)
class Coverage:
    """Shares of cells, over all sweeps of a world.

    Attributes:
        covered: the interval holds the true gain.
        false_positives: p < .05 where the true gain is zero.
        power: p < .05 where it is not.
        detected: p < .05 where the gain that is stated as detectable is added to a true zero.
        spread: SD of the differences' errors, each as the normal quantile of its t-test, from the
            median of their size; 1 if standard errors and degrees of freedom are right.
        cells: number of cells behind `covered`; one whose relative gain is not defined has none.
    """

    covered: float
    false_positives: float
    power: float
    detected: float
    spread: float
    cells: int


def measure_coverage(
    world: World, seeds: int, sweeps: int = 100, draws: int = 1000, single_seeds: int | None = None
) -> Coverage:
    """Simulate sweeps; count how often intervals of relative gains hold the truth."""
    alone, joint = find_truth(world)
    truth = joint / alone - 1
    away = ~np.eye(len(truth), dtype=bool)
    zero, real = away & (truth == 0), away & (truth != 0)
    rows: dict[str, list[Floats]] = {}
    for number in range(sweeps):
        rng = make_generator(number, repr(world), str(seeds))
        predictions = draw_sweep(world, seeds, single_seeds or seeds, rng)
        found = bootstrap_gains(predictions, draws, seed=number)
        low, high = found.interval("relative")
        error = (found.joint - found.single) - (joint - alone)
        for name, values in {
            "covered": np.where(np.isnan(low), np.nan, (low <= truth) & (truth <= high))[away],
            "alarms": (found.p_values < 0.05)[zero],
            "power": (found.p_values < 0.05)[real],
            "detected": _detect(found)[zero],
            "z": _standardise(error, found)[away],
        }.items():
            rows.setdefault(name, []).append(values.astype(np.float64))
    whole = {name: np.concatenate(values) for name, values in rows.items()}
    means = {name: _average(values) for name, values in whole.items()}
    return Coverage(
        means["covered"],
        means["alarms"],
        means["power"],
        means["detected"],
        float(np.nanmedian(whole["z"]) / stats.norm.ppf(0.75)),
        int(np.isfinite(whole["covered"]).sum()),
    )


def _average(values: Floats) -> float:
    """Return the mean of what is defined; NaN where nothing is, as power with one seed."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _standardise(error: Floats, found: GainBootstrap) -> Floats:
    """Return the size of each difference's error, as a normal quantile of its t-test, [T, T]."""
    statistic = np.abs(error) / np.where(found.error > 0, found.error, np.nan)
    return np.asarray(stats.norm.isf(stats.t.sf(statistic, found.df)), dtype=np.float64)


def _detect(found: GainBootstrap) -> Floats:
    """Return whether cells would be found if their target's detectable gain were added."""
    gain = tabulate_power(found)["detectable"].to_numpy(dtype=np.float64)
    statistic = (found.joint - found.single + gain) / np.where(found.error > 0, found.error, np.nan)
    p_values = 2 * stats.t.sf(np.abs(statistic), found.df)
    is_found = ((p_values < 0.05) & (statistic > 0)).astype(np.float64)
    return np.where(np.isnan(p_values), np.nan, is_found)


@functools.cache
def find_levels(world: World) -> tuple[Floats, Floats]:
    """Return m of the single runs, [T], and of the joint runs, [T, T]; NaN on the diagonal."""
    size = len(world.dev)
    base = np.linspace(0.6, 1.4, size)
    levels = np.full((size, size), np.nan)
    for t in range(size):
        alone = _score(world, base[t], world.seed_sd)
        for s in range(size):
            if s != t:
                seed_sd = world.seed_sd * _ratios(world)[s]
                # the same score as alone, and above it in every other cell
                same = optimize.brentq(
                    lambda m, sd=seed_sd, own=alone: _score(world, m, sd) - own, -3, 6, xtol=1e-12
                )
                levels[s, t] = float(same) + _shift(s, t)
    return base, levels


def _shift(source: int, target: int) -> float:
    return 0.25 if (source + target) % 2 == 0 else 0.0


def _ratios(world: World) -> Floats:
    """Return the seed SD of runs with each partner, in that of single runs."""
    return np.linspace(1.0, world.spread, len(world.dev))


@functools.cache
def find_truth(world: World) -> tuple[Floats, Floats]:
    """Return the true scores, alone [T] and with each partner [T, T]."""
    base, levels = find_levels(world)
    alone = np.array([_score(world, m, world.seed_sd) for m in base])
    joint = np.tile(alone, (len(base), 1))
    for s, t in np.argwhere(~np.eye(len(base), dtype=bool)).tolist():
        if _shift(s, t):
            joint[s, t] = _score(world, levels[s, t], world.seed_sd * _ratios(world)[s])
    return alone, joint


def _score(world: World, level: float, seed_sd: float) -> float:
    """Return the mean score over all seeds on infinitely many examples."""
    luck = level + seed_sd * NODES
    scale = math.sqrt(world.example_sd**2 + world.partner_sd**2 + world.run_sd**2)
    if world.metric == "pearson":
        scores = 1 / np.sqrt(1 + np.exp(-2 * luck) * scale**2)
    else:
        right = stats.norm.cdf(luck / scale)
        # of the positive class, `right` are found; of the other, 1 - right are taken for it
        f1 = 2 * POSITIVE * right / (2 * POSITIVE * right + 1 - right)
        # of entities, `right` are found, and half of the others have the wrong type
        entity_f1 = 2 * right / (1 + right + (1 - right) * WRONG_TYPE)
        of_sets = np.mean([2 * p * right / (2 * p * right + 1 - right) for p in FREQUENT], axis=0)
        known = {"accuracy": right, "f1": f1, "entity_f1": entity_f1, "label_f1_macro": of_sets}
        scores = known[world.metric]
    constant = {"accuracy": POSITIVE, "f1": 2 * POSITIVE / (1 + POSITIVE)}
    own = float(scores @ WEIGHTS / WEIGHTS.sum())
    return own * (1 - world.collapsed) + constant.get(world.metric, 0.0) * world.collapsed


def draw_sweep(
    world: World, seeds: int, single_seeds: int, rng: np.random.Generator
) -> dict[str, Predictions]:
    """Return a sweep's dev predictions."""
    size = len(world.dev)
    base, levels = find_levels(world)
    names = [f"task{i}" for i in range(size)]
    both = {pair: _draw_pair(world.shared, seeds, rng) for pair in combinations(range(size), 2)}
    predictions = {}
    for t, dev in enumerate(world.dev):
        target = _draw_target(world, dev, rng)
        luck = world.seed_sd * rng.standard_normal(single_seeds)
        single = target.draw_arm(base[t], luck, rng)
        joint = {
            names[s]: target.draw_arm(
                levels[s, t],
                world.seed_sd * _ratios(world)[s] * both[min(s, t), max(s, t)][int(s < t)],
                rng,
            )
            for s in range(size)
            if s != t
        }
        predictions[names[t]] = Predictions(
            task=names[t],
            metric=world.metric,
            labels=target.labels,
            splits=np.full(len(target.labels), "validation", dtype=object),
            questions=target.questions,
            single=single,
            joint=joint,
        )
    return predictions


def _draw_target(world: World, dev: int, rng: np.random.Generator) -> _Target:
    if world.metric == "entity_f1":
        sentences = np.repeat(np.arange(dev), rng.integers(1, MOST_ENTITIES + 1, dev))
        hard = rng.normal(0, world.example_sd, dev)[sentences]
        return _Target(world, np.ones_like(sentences), sentences, hard)
    if world.metric == "label_f1_macro":
        flags = (rng.random((dev, len(FREQUENT))) < FREQUENT).astype(np.int64)
        hard = rng.normal(0, world.example_sd, dev)[:, None]
        return _Target(world, flags, np.full(dev, -1), hard)
    labels = _draw_labels(world, dev, rng)
    return _Target(world, labels, np.full(dev, -1), rng.normal(0, world.example_sd, dev))


def _draw_labels(world: World, dev: int, rng: np.random.Generator) -> Values:
    if world.metric == "pearson":
        return rng.standard_normal(dev)
    return (rng.random(dev) < POSITIVE).astype(np.int64)


def _draw_pair(shared: float, seeds: int, rng: np.random.Generator) -> Floats:
    """Return standard normal luck of each seed for both tasks of a pair, [2, S]."""
    one, other = rng.standard_normal((2, seeds))
    return np.stack([one, shared * one + math.sqrt(1 - shared**2) * other])


@dataclass(frozen=True, eq=False)
class _Target:
    """Dev labels, the sentence of each, or -1, and how hard each example is, all [N].

    Of sets of L labels: labels [N, L], how hard [N, 1].
    """

    world: World
    labels: Values
    questions: npt.NDArray[np.int64]
    hard: Floats

    def draw_arm(self, level: float, luck: Floats, rng: np.random.Generator) -> Arm:
        lasting = rng.normal(0, self.world.partner_sd, self.hard.shape)
        own = rng.normal(0, self.world.run_sd, (len(luck), *self.labels.shape))
        skill = level + luck.reshape(-1, *[1] * self.labels.ndim)
        error = self.hard + lasting + own
        values: Values
        if self.world.metric == "pearson":
            values, guess = self.labels + np.exp(-skill) * error, own
        elif self.world.metric == "entity_f1":  # 1 and 3 begin an entity of either type, 0 is none
            wrong = np.where(rng.random(own.shape) < WRONG_TYPE, 3, 0)
            values, guess = np.where(skill + error > 0, self.labels, wrong), np.zeros_like(own)
        else:
            values = np.where(skill + error > 0, self.labels, 1 - self.labels)
            is_set = self.world.metric == "label_f1_macro"
            guess = np.zeros_like(own) if is_set else np.ones_like(own)
        drawn = rng.random((len(luck), 1)).reshape(-1, *[1] * self.labels.ndim)
        collapses = drawn < self.world.collapsed
        mixed = np.where(collapses, guess, values).astype(values.dtype)
        return Arm(tuple(range(len(luck))), mixed)


PART_WORLDS = (
    "seeds and examples",
    "unequal seed variances",
    "10 % of runs collapsed",
    "entity F1",
    "macro F1 of sets",
)
"""Worlds of `python -m benchmarks coverage`; all of them take longer."""


def measure_intervals(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Return how far nominal 95 % intervals cover, with 3 seeds, beside what they should."""
    sweeps = max(1, round(7 * repeats * scale))
    found = {n: measure_coverage(WORLDS[n], 3, sweeps, 200) for n in PART_WORLDS}
    return [_to_entry(name, each, sweeps) for name, each in found.items()]


def _to_entry(name: str, found: Coverage, sweeps: int) -> Entry:
    what = (
        f"{name}: how often 95 % intervals hold the true gain, beside 95; {found.cells} cells of "
        f"{sweeps} sweeps with 3 seeds; false alarms at 5 %: {100 * found.false_positives:.1f} %, "
        f"power {100 * found.power:.1f} %"
    )
    slug = "".join(c if c.isalnum() else "_" for c in name.replace(" %", ""))
    nominal = 100 * INTERVAL_LEVEL
    return Entry(
        f"coverage_{slug}", 100 * found.covered, nominal, 100 * found.covered / nominal, "%", what
    )


def run(
    sweeps: Annotated[int, typer.Option(help="Sweeps of each world.", min=1)] = 40,
    draws: Annotated[int, typer.Option(help="Bootstrap draws.", min=2)] = 400,
    seeds: Annotated[str, typer.Option(help="Numbers of seeds.")] = "1,3,5,10",
    worlds: Annotated[
        str, typer.Option(help="Only worlds with one of these in their name; `;` between them.")
    ] = "",
) -> None:
    """Print coverage, false alarms and power of each world."""
    typer.echo(
        "| world | seeds | covered | false alarms | power | at the detectable gain | SD of z |"
    )
    typer.echo("| --- | --- | --- | --- | --- | --- | --- |")
    for name, world in WORLDS.items():
        is_asked = any(part in name for part in worlds.split(";"))
        for count in map(int, seeds.split(",")) if is_asked else ():
            found = measure_coverage(world, count, sweeps, draws)
            typer.echo(f"| {name} | {count} | {_to_cells(found)} |")


def _to_cells(found: Coverage) -> str:
    shares = (found.covered, found.false_positives, found.power, found.detected)
    shown = ["–" if math.isnan(share) else f"{100 * share:.1f} %" for share in shares]
    return " | ".join([*shown, f"{found.spread:.2f}"])


if __name__ == "__main__":
    typer.run(run)
