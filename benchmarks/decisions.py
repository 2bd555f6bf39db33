"""What following the advice is worth: `python -m benchmarks decisions`.

A decision is taken from what was measured and judged by what is true.

- *Planted suites*: gains with a known truth are measured with made noise. Truths: planted families,
  nothing at all, one task that nothing helps, one that everything helps, sharing that always helps
  or always harms, effects of sources or targets alone, and unstructured gains. No part of the
  decision knows which.
- *Stored runs* (`--runs FOLDER`, an output folder of `relevance pairwise`): seeds and dev rows are
  split into disjoint halves; one half chooses, the other judges.

Regret is what the best partition has more: the best, by the truth, of one group of all, no groups,
each method at each number of groups, random groups, groups of tasks of one size, and the advice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from analysis.arrays import Floats, Labels
from analysis.gains.bootstrap import bootstrap_gains
from analysis.gains.posterior import GainPosterior
from analysis.partitions.agreement import compare_labels
from analysis.partitions.decision import Decision, decide
from analysis.partitions.per_draw import cluster_for_each, cluster_stack, measure_gain
from analysis.partitions.promise import state_decision
from analysis.partitions.stability import measure_stability
from analysis.partitions.structure import find_structure
from analysis.scores.predictions import Predictions
from benchmarks.entries import Entry
from benchmarks.rows import Material
from benchmarks.stored_runs import read_stored, split_halves

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


def draw_spread(size: int, rng: np.random.Generator) -> Floats:
    """Return how far runs of each target scatter, [T]."""
    return 0.03 * np.exp(rng.normal(0, 0.5, size))


def measure(
    truth: Floats,
    seeds: int,
    rng: np.random.Generator,
    *,
    collapses: bool = False,
    spread: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Return a measured matrix, [T, T], and draws of it, [B, T, T].

    Runs of a target scatter by its own standard deviation, about 0.03; a gain has the errors of its
    pair's runs and, in common with the target's other gains, of the single runs.
    """
    size = len(truth)
    if spread is None:
        spread = draw_spread(size, rng)
    pairs = rng.normal(size=(size, size, seeds)) * spread[:, None]
    if collapses:
        pairs += COLLAPSE * (rng.random(pairs.shape) < COLLAPSED_FRAC)
    singles = rng.normal(size=(size, seeds)) * spread[:, None]
    values = truth + pairs.mean(axis=-1) - singles.mean(axis=-1)
    by_pair, alone = pairs.var(axis=-1, ddof=1), singles.var(axis=-1, ddof=1)
    pooled = np.sqrt((by_pair.sum(axis=0) + alone) / (size + 1) / seeds)
    own = rng.normal(size=(DRAWS, size, size)) * pooled
    shared = rng.normal(size=(DRAWS, 1, size)) * pooled
    draws = values + own - shared
    for matrix in (values, *draws):
        np.fill_diagonal(matrix, 0.0)
    return values, draws


METHODS = ("kmeans", "spectral", "exact")
ADVICE, FORMER, ALL, ALONE = "advice", "former --k auto", "all together", "alone"
RUNS = "RELEVANCE_RUNS"
"""Environment variable: the output folder whose runs are split into halves."""
EXACT = 1e-9
HALVES = 40
"""Splits of stored runs."""


@dataclass(frozen=True, eq=False)
class Study:
    """What a decision is taken from.

    Attributes:
        values: measured gains, [T, T].
        draws: of them, [B, T, T]; None where nothing says how noisy they are.
        sizes: of the tasks, [T].
    """

    values: Floats
    draws: Floats | None
    sizes: Floats


def choose(study: Study, rng: np.random.Generator) -> dict[str, Labels]:
    """Return what each way chooses, from measured gains alone."""
    values, draws, size = study.values, study.draws, len(study.values)
    found = {
        ADVICE: answer(study).chosen.labels,
        ALL: np.zeros(size, dtype=np.int64),
        ALONE: np.arange(size),
    }
    for method in METHODS:
        labels = cluster_for_each(values[None], list(range(2, size)), method)
        found |= {f"{method}, k = {k}": each[0] for k, each in labels.items()}
    structure = find_structure(values, "kmeans", draws, nulls=NULLS)
    found[FORMER] = found[f"kmeans, k = {structure.k}"] if structure.k > 1 else found[ALL]
    found["random, 3 groups"] = rng.permutation(np.arange(size) % 3)
    found["by size, 3 groups"] = np.argsort(np.argsort(study.sizes)) * 3 // size
    return found


def answer(study: Study) -> Decision:
    """Return what the study advises."""
    decision = decide(see(study))
    return decision if study.draws is None else state_decision(decision, study.values, study.draws)


def see(study: Study) -> GainPosterior:
    """Return what the study says of the true gains."""
    if study.draws is None:
        return GainPosterior.of_unknown_noise(study.values)
    return GainPosterior.of(study.values, study.draws)


@dataclass(frozen=True, eq=False)
class Trial:
    """What each way truly gains, in one study or half of it; a task's mean, in points.

    Attributes:
        gains: way to gain.
        promised: what the advice said it would gain.
        is_covered: whether the truth lies in the interval that it said.
        measured: what its groups gain on the data that chose them.
        called: the mean size of the ten largest measured gains; the same corrected; the truth.
    """

    gains: Mapping[str, float]
    promised: float
    is_covered: bool
    measured: float
    called: tuple[float, float, float]

    def regret(self, way: str) -> float:
        """Return what the best way gains more."""
        return max(self.gains.values()) - self.gains[way]


def judge(study: Study, truth: Floats, rng: np.random.Generator) -> Trial:
    """Let each way choose, and judge it by the truth."""
    ways, posterior = choose(study, rng), see(study)
    to_points = 100 / len(truth)
    gains = {way: to_points * float(measure_gain(truth, labels)) for way, labels in ways.items()}
    said = answer(study).chosen
    return Trial(
        gains,
        100 * said.gain,
        100 * said.low - EXACT <= gains[ADVICE] <= 100 * said.high + EXACT,
        to_points * float(measure_gain(study.values, ways[ADVICE])),
        _compare_largest(study.values, posterior.mean, truth),
    )


def _compare_largest(values: Floats, expected: Floats, truth: Floats) -> tuple[float, float, float]:
    largest = np.argsort(-np.abs(values), axis=None)[:10]
    sign = 100 * np.sign(values.ravel()[largest])
    raw, corrected, true = (
        float((sign * each.ravel()[largest]).mean()) for each in (values, expected, truth)
    )
    return raw, corrected, true


def try_planted(
    name: str, tasks: int, seeds: int, repeats: int, *, collapses: bool = False
) -> list[Trial]:
    """Return a trial for each of some fresh truths of a kind."""
    trials = []
    for number in range(repeats):
        rng = np.random.default_rng([number, tasks, seeds, collapses])
        truth = TRUTHS[name](tasks, rng)
        np.fill_diagonal(truth, 0.0)
        values, draws = measure(truth, seeds, rng, collapses=collapses)
        if collapses:  # on average over the runs that one would do
            truth = truth + COLLAPSE * COLLAPSED_FRAC * ~np.eye(tasks, dtype=bool)
        trials.append(judge(Study(values, draws, rng.random(tasks)), truth, rng))
    return trials


def try_stored(folder: Path, halves: int = HALVES, draws: int = DRAWS) -> list[Trial]:
    """Return a trial for each of some splits of stored runs into halves."""
    predictions, trials = read_stored(folder), []
    for number in range(halves):
        rng = np.random.default_rng(number)
        one, other = split_halves(predictions, rng)
        trials.append(judge(_study(one, draws), bootstrap_gains(other, 2).gains(), rng))
    return trials


def _study(predictions: Mapping[str, Predictions], draws: int) -> Study:
    found = bootstrap_gains(predictions, draws)
    away = ~np.eye(len(found.tasks), dtype=bool)
    is_known = bool(found.has_seed_noise[away].all())
    sizes = found.n_dev.astype(np.float64)
    return Study(found.gains(), found.draws() if is_known else None, sizes)


SHOWN = (ADVICE, FORMER, ALL, ALONE, "kmeans, k = 3", "exact, k = 3", "random, 3 groups",
         "by size, 3 groups")  # fmt: skip
HEADER = ("truth", *SHOWN, "best", "regret", "regret of former", "behind the better of both")


def to_row(name: str, trials: list[Trial]) -> list[str]:
    """Return a row of the table: mean gains, and regrets with their standard errors."""
    means = [float(np.mean([trial.gains[way] for trial in trials])) for way in SHOWN]
    best = float(np.mean([max(trial.gains.values()) for trial in trials]))
    better = max(means[SHOWN.index(ALL)], means[SHOWN.index(ALONE)])
    plain = ALL if better == means[SHOWN.index(ALL)] else ALONE
    errors = [
        [trial.regret(ADVICE) for trial in trials],
        [trial.regret(FORMER) for trial in trials],
        [trial.gains[plain] - trial.gains[ADVICE] for trial in trials],
    ]
    return [name, *(f"{mean:+.2f}" for mean in (*means, best)), *map(_with_error, errors)]


def _with_error(values: list[float]) -> str:
    return f"{np.mean(values):+.2f} ± {np.std(values) / np.sqrt(len(values)):.2f}"


def describe_trials(named: Mapping[str, list[Trial]]) -> Iterator[str]:
    """Yield two tables: what was gained, and what was promised."""
    yield from _tabulate(HEADER, [to_row(name, trials) for name, trials in named.items()])
    yield ""
    columns = (
        "advice measured",
        "promised",
        "true",
        "in its interval",
        "ten largest gains",
        "corrected",
        "true",
    )
    rows = [[name, *_to_promises(trials)] for name, trials in named.items()]
    yield from _tabulate(("truth", *columns), rows)


def _to_promises(trials: list[Trial]) -> list[str]:
    rows = [(t.measured, t.promised, t.gains[ADVICE], *t.called) for t in trials]
    shown = [f"{mean:+.2f}" for mean in np.mean(rows, axis=0).tolist()]
    covered = float(np.mean([t.is_covered for t in trials]))
    return [*shown[:3], f"{covered:.0%}", *shown[3:]]


def _tabulate(header: tuple[str, ...], rows: list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


@dataclass(frozen=True)
class Repetition:
    """How far a second study agrees with the groups of a first: means of adjusted Rand indices.

    Attributes:
        said: what the first one said of a repetition.
        draws: what its draws around the measured matrix agree.
        real: what the second one, of the same truth, agrees.
        covered: share of repetitions in the interval that was said.
    """

    said: float
    draws: float
    real: float
    covered: float


def try_repetitions(name: str, method: str, tasks: int, seeds: int, repeats: int) -> Repetition:
    """Measure each of some truths twice; compare what the first study says with the second."""
    rows = []
    for number in range(repeats):
        rng = np.random.default_rng([number, tasks, seeds])
        truth = TRUTHS[name](tasks, rng)
        np.fill_diagonal(truth, 0.0)
        spread = draw_spread(tasks, rng)
        values, draws = measure(truth, seeds, rng, spread=spread)
        other, _ = measure(truth, seeds, rng, spread=spread)
        labels, again = (cluster_stack(each[None], 3, method)[0] for each in (values, other))
        said = measure_stability(values, draws, labels, method)
        real = float(compare_labels(again[None], labels)[0])
        near = float(compare_labels(cluster_stack(draws, 3, method), labels).mean())
        rows.append((said.mean, near, real, said.low <= real <= said.high))
    return Repetition(*np.mean(rows, axis=0).tolist())


def describe_repetitions(tasks: int, seeds: int, repeats: int) -> Iterator[str]:
    """Yield a table of what is said of a repetition, and what one gives."""
    rows = []
    for name in ("families", "unstructured", "sources", "nothing"):
        for method in ("kmeans", "exact"):
            found = try_repetitions(name, method, tasks, seeds, repeats)
            figures = [f"{x:.2f}" for x in (found.draws, found.said, found.real, found.covered)]
            rows.append([name, method, *figures])
    header = ("truth", "method", "draws around the matrix", "said", "real", "in the interval")
    yield from _tabulate(header, rows)


def measure_decisions(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Return the advice's regret beside that of the former `--k auto`, in points, by truth."""
    count = max(2, round(13 * repeats * scale))
    named = try_all(count, folder=find_runs())
    typer.echo("\n".join(describe_trials(named)))
    return [_to_entry(name, trials) for name, trials in named.items()]


def _to_entry(name: str, trials: list[Trial]) -> Entry:
    ours, other = (float(np.mean([t.regret(way) for t in trials])) for way in (ADVICE, FORMER))
    what = (
        f"{name}: regret in points of a task's gain against the best of {len(trials[0].gains)} "
        f"partitions, of the advice and of the former --k auto; {len(trials)} trials"
    )
    ratio = (other + 0.01) / (ours + 0.01)  # a hundredth of a point: nothing is no regret
    return Entry(f"decisions_{name.replace(' ', '_')}", ours, other, ratio, "points", what)


def find_runs() -> Path | None:
    """Return the output folder that `--runs` named."""
    named = os.environ.get(RUNS)
    return Path(named) if named else None


def try_all(
    repeats: int,
    tasks: int = 9,
    seeds: int = 3,
    *,
    collapses: bool = False,
    folder: Path | None = None,
) -> dict[str, list[Trial]]:
    """Return the trials of every kind of truth, and of stored runs where a folder is named."""
    named = {n: try_planted(n, tasks, seeds, repeats, collapses=collapses) for n in TRUTHS}
    return named if folder is None else {**named, "stored runs": try_stored(folder)}


def run(
    repeats: Annotated[int, typer.Option(help="Fresh truths of each kind.", min=2)] = 40,
    tasks: Annotated[int, typer.Option(help="Tasks.", min=4, max=14)] = 9,
    seeds: Annotated[int, typer.Option(help="Seeds of a run.", min=2)] = 3,
    collapses: Annotated[bool, typer.Option(help="A tenth of the pairs' runs collapse.")] = False,
    runs: Annotated[Path | None, typer.Option(help="An output folder.", envvar=RUNS)] = None,
    only_runs: Annotated[bool, typer.Option(help="No planted suites.")] = False,
    repetitions: Annotated[bool, typer.Option(help="Stability of groups alone.")] = False,
) -> None:
    """Print what a task truly gains on average, in points, by what was followed."""
    if repetitions:
        typer.echo("\n".join(describe_repetitions(tasks, seeds, repeats)))
        return
    if only_runs and runs is not None:
        named = {"stored runs": try_stored(runs)}
    else:
        named = try_all(repeats, tasks, seeds, collapses=collapses, folder=runs)
    typer.echo("\n".join(describe_trials(named)))


if __name__ == "__main__":
    typer.run(run)
