"""What cheap measures, designs and screens are worth: `python -m benchmarks agreement`.

Everything is judged by what is true, and takes a stated share of the full sweep's cost.

- *Planted suites*: gains with a known truth are measured with made noise (`benchmarks.decisions`),
  five truths of each kind. Cheap measures are made as well: one that knows a half of what is true
  of a target's sources, one that knows a fifth, and two that know nothing; no part of a screen
  knows which.
- *Stored runs* (`--runs FOLDER`, an output folder of `relevance pairwise`): pairs that a design or
  a screen has not asked for are held back from it, and all gains judge it.

Coverage is of the unmeasured cells' 95 % intervals: of the truth, or, on stored runs, of what was
measured. Regret@1 is in points, a share that of the gain of the best groups.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer

from analysis.arrays import Floats
from analysis.gains.bootstrap import bootstrap_gains
from analysis.guesses.balanced_blocks import Block, draw_blocks
from analysis.guesses.gain_model import GainModel, Observation
from analysis.guesses.worth import (
    correlate_sources,
    expect_regret,
    gain_in_groups,
    group_by_guess,
)
from benchmarks.decisions import TRUTHS, draw_spread, find_runs
from benchmarks.entries import Entry
from benchmarks.rows import Material
from benchmarks.stored_runs import read_stored
from relevance.designs.design_matrix import judge_model
from relevance.designs.screening import STABLE, ScreenOptions, choose_pairs

KINDS = ("families", "sources", "unstructured")
SUITES = 5
SEEDS, SINGLES = 3, 2
"""Seeds of the full sweep, and of the single runs of a design or screen, whose pairs have one."""
KNOWN = (0.5, 0.2, 0.0, 0.0)
"""Share of the variance between a target's sources that each made measure knows."""


@dataclass(frozen=True, eq=False)
class Suite:
    """A study whose runs are made: what they would show, whichever are asked for.

    Attributes:
        truth: true gains, [T, T].
        spread: how far runs of each target scatter, [T].
        singles: what single runs are off by, [T, `SEEDS`].
        pairs: what a pair's run of the target is off by, [T, T].
        measures: cheap ones, [F, T, T].
    """

    truth: Floats
    spread: Floats
    singles: Floats
    pairs: Floats
    measures: Floats

    @property
    def shared(self) -> Floats:
        """Variance of what the single runs are off by, [T]."""
        return self.spread**2 / SINGLES

    def observe(self, blocks: list[Block], rng: np.random.Generator) -> list[Observation]:
        """Return what runs of some blocks show."""
        return [
            self._observe(block, task, run, rng)
            for run, block in enumerate(blocks)
            for task in block
        ]

    def _observe(self, block: Block, task: int, run: int, rng: np.random.Generator) -> Observation:
        others = tuple(other for other in block if other != task)
        noise = (
            self.pairs[others[0], task] if len(others) == 1 else rng.normal() * self.spread[task]
        )
        value = self.truth[list(others), task].mean() + noise
        value -= self.singles[task, :SINGLES].mean()
        return Observation(task, others, float(value), float(self.spread[task] ** 2), run)


def make_suite(kind: str, tasks: int, rng: np.random.Generator) -> Suite:
    """Return a fresh suite of a kind of truth (`benchmarks.decisions.TRUTHS`)."""
    truth = TRUTHS[kind](tasks, rng)
    np.fill_diagonal(truth, 0.0)
    spread = draw_spread(tasks, rng)
    return Suite(
        truth,
        spread,
        rng.normal(size=(tasks, SEEDS)) * spread[:, None],
        rng.normal(size=(tasks, tasks)) * spread,
        np.stack([_make_measure(truth, known, rng) for known in KNOWN]),
    )


def _make_measure(truth: Floats, known: float, rng: np.random.Generator) -> Floats:
    centred = truth - truth.mean(axis=0)
    scale = float(centred.std()) or 1.0
    noise = rng.normal(size=truth.shape)
    made: Floats = math.sqrt(known) * centred / scale + math.sqrt(1 - known) * noise
    return made


@dataclass(frozen=True)
class Worth:
    """What a way found, in one suite.

    Attributes:
        cost_frac: of the full sweep, by passes over a task's rows.
        spearman, regret: by the truth; the regret in points.
        share: gain of its groups, as a share of the best ones'.
        covered: share of the unmeasured cells' intervals that hold the truth; NaN without any.
    """

    cost_frac: float
    spearman: float
    regret: float
    share: float
    covered: float


def judge_guess(guess: Floats, truth: Floats, cost_frac: float, *, holds_gains: bool) -> Worth:
    """Return what a guess is worth by the truth."""
    best = group_by_guess(truth, 3, holds_gains=True)
    labels = group_by_guess(guess, len(np.unique(best)), holds_gains=holds_gains)
    whole = float(gain_in_groups(truth[None], best).mean())
    own = float(gain_in_groups(truth[None], labels).mean())
    return Worth(
        cost_frac,
        float(np.nanmean(correlate_sources(guess, truth[None]))),
        100 * float(np.nanmean(expect_regret(guess, truth[None], 1))),
        own / whole if whole > 0 else math.nan,
        math.nan,
    )


def judge_fit(
    model: GainModel, truth: Floats, cost_frac: float, *, measured: bool = False
) -> Worth:
    """Return what a model of the gains is worth by the truth.

    Args:
        measured: whether `truth` is what was measured, so that intervals hold its noise too.
    """
    found = judge_guess(model.mean, truth, cost_frac, holds_gains=True)
    low, high = model.interval_of_measured() if measured else model.interval()
    unseen = ~np.eye(model.size, dtype=bool) & ~model.is_measured & np.isfinite(truth)
    inside = (low <= truth) & (truth <= high)
    covered = float(inside[unseen].mean()) if unseen.any() else math.nan
    return Worth(found.cost_frac, found.spearman, found.regret, found.share, covered)


def count_passes(tasks: int, runs: int, size: int) -> float:
    """Return the cost of single runs and of runs of some size, as a share of a full sweep."""
    return (tasks * SINGLES + runs * size) / (tasks**2 * SEEDS)


def try_suite(suite: Suite, rng: np.random.Generator, share: float) -> dict[str, Worth]:
    """Let each way spend at most a share of the full sweep's cost; judge it by the truth."""
    tasks = len(suite.truth)
    passes = share * tasks**2 * SEEDS - tasks * SINGLES
    pairs = min(max(int(passes) // 2, tasks), tasks * (tasks - 1) // 2)
    sweep = suite.truth + suite.pairs / math.sqrt(SEEDS) - suite.singles.mean(axis=1)
    ways = {
        "random order": judge_guess(np.zeros_like(sweep), suite.truth, 0, holds_gains=False),
        "measure that knows half": judge_guess(
            suite.measures[0], suite.truth, 0, holds_gains=False
        ),
        "full sweep": judge_guess(sweep, suite.truth, 1, holds_gains=True),
    }
    for name, size in (("design of pairs", 2), ("design of blocks of 4", 4)):
        runs = max(pairs * 2 // size, 1)
        observed = suite.observe(draw_blocks(tasks, size, runs), rng)
        model = GainModel(tasks, observed, suite.shared)
        ways[name] = judge_fit(model, suite.truth, count_passes(tasks, runs, size))
    for name, measures in (("screen", suite.measures), ("screen without measures", None)):
        model, runs = screen(suite, ScreenOptions(pairs), measures, rng)
        ways[name] = judge_fit(model, suite.truth, count_passes(tasks, runs, 2))
    return ways


def screen(
    suite: Suite, options: ScreenOptions, measures: Floats | None, rng: np.random.Generator
) -> tuple[GainModel, int]:
    """Return the model after a screen of a suite, and the pairs that were run."""
    tasks = len(suite.truth)
    blocks = draw_blocks(tasks, 2, options.count_first(tasks))
    while True:
        model = GainModel(tasks, suite.observe(blocks, rng), suite.shared, measures)
        left = options.budget - len(blocks)
        verdict = judge_model(model) if left > 0 else None
        if verdict is None or verdict.missed < STABLE:
            return model, len(blocks)
        chosen = choose_pairs(model, verdict.decision, blocks, min(options.step, left))
        if not chosen:
            return model, len(blocks)
        blocks = [*blocks, *chosen]


def try_planted_suites(suites: int, tasks: int, share: float) -> dict[str, list[dict[str, Worth]]]:
    """Return kind of truth to what each way found, in each of some suites."""
    found: dict[str, list[dict[str, Worth]]] = {}
    for kind in KINDS:
        for number in range(suites):
            rng = np.random.default_rng([number, tasks])
            found.setdefault(kind, []).append(try_suite(make_suite(kind, tasks, rng), rng, share))
    return found


def try_stored_runs(folder: Path, draws: int = 100) -> dict[str, Worth]:
    """Let designs and screens ask for some of a folder's pairs; judge them by all gains."""
    predictions = read_stored(folder)
    found = bootstrap_gains(predictions, draws)
    gains, size = found.gains(), len(found.tasks)
    noise = found.draws().var(axis=0)
    shared = np.nanmin(np.where(np.eye(size, dtype=bool), np.nan, noise), axis=0) / 2
    suite = Suite(
        gains,
        np.sqrt(shared),
        np.zeros((size, SEEDS)),
        np.zeros((size, size)),
        np.zeros((0, size, size)),
    )
    ways = {"random order": judge_guess(np.zeros_like(gains), gains, 0, holds_gains=False)}
    for share in (0.33, 0.5, 0.75):
        count = round(share * size * (size - 1) / 2)
        model = GainModel(
            size, suite.observe(draw_blocks(size, 2, count), np.random.default_rng(0)), shared
        )
        ways[f"design of {count} pairs"] = judge_fit(
            model, gains, count_passes(size, count, 2), measured=True
        )
        model, runs = screen(suite, ScreenOptions(count), None, np.random.default_rng(0))
        ways[f"screen of {runs} pairs"] = judge_fit(
            model, gains, count_passes(size, runs, 2), measured=True
        )
    return ways


HEADER = ("truth", "way", "cost, %", "rho", "regret@1", "share of the best, %", "covered, %")


def describe_worth(named: Mapping[str, list[dict[str, Worth]]]) -> Iterator[str]:
    """Yield a table: means over suites, with standard errors where there are several."""
    yield f"| {' | '.join(HEADER)} |"
    yield f"|{' --- |' * len(HEADER)}"
    for kind, suites in named.items():
        for way in suites[0]:
            cells = [kind, way, *_to_cells([suite[way] for suite in suites])]
            yield f"| {' | '.join(cells)} |"


def _to_cells(found: list[Worth]) -> Iterator[str]:
    for name, scale in (
        *(("cost_frac", 100), ("spearman", 1), ("regret", 1)),
        *(("share", 100), ("covered", 100)),
    ):
        values = scale * np.array([getattr(each, name) for each in found], dtype=np.float64)
        known = values[np.isfinite(values)]
        if not len(known):
            yield "-"
            continue
        error = f" ± {known.std() / math.sqrt(len(known)):.2f}" if len(known) > 1 else ""
        yield f"{known.mean():.2f}{error}"


def measure_agreement(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Return the share of the best groups' gain of a screen and of the full sweep, by truth."""
    suites = max(1, round(SUITES * repeats / 3 * min(scale * 10, 1)))
    named = try_planted_suites(suites, 13 if scale == 1 else 8, 0.1)
    typer.echo("\n".join(describe_worth(named)))
    folder = find_runs()
    if folder is not None:
        typer.echo("\n".join(describe_worth({"stored runs": [try_stored_runs(folder)]})))
    return [_to_entry(kind, found) for kind, found in named.items()]


def _to_entry(kind: str, suites: list[dict[str, Worth]]) -> Entry:
    ours, other = (
        float(np.nanmean([100 * suite[way].share for suite in suites]))
        for way in ("screen", "full sweep")
    )
    what = f"{kind}: share of the best groups' gain, of a screen at a tenth and of the full sweep"
    ratio = ours / other if other else math.nan
    return Entry(f"agreement_{kind}", ours, other, ratio, "percent", what)
