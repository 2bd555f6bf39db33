"""What following the advice is worth: `python -m benchmarks.decisions`.

Gains with a known truth are measured with made noise, a decision is taken from what was measured,
and judged by the truth. Truths: planted families, nothing at all, one task that nothing helps, one
that everything helps, sharing that always helps or always harms, effects of sources or targets
alone, and unstructured gains. No part of the decision knows which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import numpy as np
import typer

from analysis.arrays import Floats, Labels
from analysis.gains.posterior import GainPosterior
from analysis.partitions.decision import decide, search
from analysis.partitions.per_draw import cluster_stack, measure_gain
from analysis.partitions.structure import find_structure

NULLS = 39
DRAWS = 300
COLLAPSED_FRAC = 0.1
COLLAPSE = -0.3


def _make_families(size: int, rng: np.random.Generator) -> Floats:
    family = np.arange(size) % 3
    return np.where(family[:, None] == family, 0.05, -0.03) + rng.normal(0, 0.01, (size, size))


def _make_hermit(size: int, rng: np.random.Generator) -> Floats:
    gains = _make_families(size, rng)
    gains[:, 0] = gains[0] = -0.05
    return gains


def _make_favourite(size: int, rng: np.random.Generator) -> Floats:
    gains = _make_families(size, rng)
    gains[:, 0] = 0.08
    return gains


TRUTHS: Mapping[str, Callable[[int, np.random.Generator], Floats]] = {
    "families": _make_families,
    "one that nothing helps": _make_hermit,
    "one that everything helps": _make_favourite,
    "nothing": lambda size, rng: np.zeros((size, size)),
    "sharing helps": lambda size, rng: 0.04 + rng.normal(0, 0.015, (size, size)),
    "sharing harms": lambda size, rng: -0.04 + rng.normal(0, 0.015, (size, size)),
    "sources": lambda size, rng: rng.normal(0, 0.04, (size, 1)) + rng.normal(0, 0.01, (size, size)),
    "targets": lambda size, rng: rng.normal(0, 0.05, (1, size)) + rng.normal(0, 0.01, (size, size)),
    "unstructured": lambda size, rng: rng.normal(0, 0.03, (size, size)),
}


def measure(
    truth: Floats, seeds: int, rng: np.random.Generator, *, collapses: bool
) -> tuple[Floats, Floats]:
    """Return a measured matrix, [T, T], and draws of it, [B, T, T].

    Runs of a target scatter by its own standard deviation, about 0.03; a gain has the errors of its
    pair's runs and, in common with the target's other gains, of the single runs.
    """
    size = len(truth)
    spread = 0.03 * np.exp(rng.normal(0, 0.5, size))
    pairs = rng.normal(size=(size, size, seeds)) * spread[:, None]
    if collapses:
        pairs += COLLAPSE * (rng.random(pairs.shape) < COLLAPSED_FRAC)
    singles = rng.normal(size=(size, seeds)) * spread[:, None]
    values = truth + pairs.mean(axis=-1) - singles.mean(axis=-1)
    pooled = pairs.var(axis=-1, ddof=1).mean(axis=0)
    own = rng.normal(size=(DRAWS, size, size)) * np.sqrt(pooled / seeds)
    shared = rng.normal(size=(DRAWS, 1, size)) * np.sqrt(singles.var(axis=-1, ddof=1) / seeds)
    draws = values + own - shared
    for matrix in (values, *draws):
        np.fill_diagonal(matrix, 0.0)
    return values, draws


def choose(values: Floats, draws: Floats, rng: np.random.Generator) -> dict[str, Labels]:
    """Return what each way chooses, from measured gains alone."""
    size = len(values)
    structure = find_structure(values, "kmeans", draws, nulls=NULLS)
    together = np.zeros(size, dtype=np.int64)
    kmeans = cluster_stack(values[None], structure.k, "kmeans")[0] if structure.k > 1 else together
    return {
        "advice": decide(GainPosterior.of(values, draws)).chosen.labels,
        "all": together,
        "alone": np.arange(size),
        "k-means, k by test": kmeans,
        "k-means, k = 3": cluster_stack(values[None], 3, "kmeans")[0],
        "exact on gains": search(values, []),
        "random, 3 groups": rng.permutation(np.arange(size) % 3),
    }


def judge(
    name: str, tasks: int, seeds: int, repeats: int, *, collapses: bool
) -> dict[str, tuple[float, float]]:
    """Return each way's mean true gain of a task, and its standard error, in points."""
    found: dict[str, list[float]] = {}
    for number in range(repeats):
        rng = np.random.default_rng([number, tasks, seeds, collapses])
        truth = TRUTHS[name](tasks, rng)
        np.fill_diagonal(truth, 0.0)
        ways = choose(*measure(truth, seeds, rng, collapses=collapses), rng)
        for way, labels in {**ways, "best of all": search(truth, [])}.items():
            found.setdefault(way, []).append(100 * float(measure_gain(truth, labels)) / tasks)
    return {
        way: (float(np.mean(gains)), float(np.std(gains) / np.sqrt(repeats)))
        for way, gains in found.items()
    }


def run(
    repeats: Annotated[int, typer.Option(help="Fresh truths of each kind.", min=2)] = 40,
    tasks: Annotated[int, typer.Option(help="Tasks.", min=4, max=14)] = 9,
    seeds: Annotated[int, typer.Option(help="Seeds of a run.", min=2)] = 3,
    collapses: Annotated[bool, typer.Option(help="A tenth of the pairs' runs collapse.")] = False,
) -> None:
    """Print what a task truly gains on average, in points, by what was followed."""
    for name in TRUTHS:
        found = judge(name, tasks, seeds, repeats, collapses=collapses)
        shown = ", ".join(f"{way} {gain:+.2f}" for way, (gain, _) in found.items())
        error = max(error for _, error in found.values())
        typer.echo(f"{name}: {shown} (standard errors up to {error:.2f})")


if __name__ == "__main__":
    typer.run(run)
