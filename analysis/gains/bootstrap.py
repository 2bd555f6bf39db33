"""Gains of joint over single fine-tuning with their uncertainty (equations 3-4).

A multi-bootstrap (Sellam et al. 2022) of the whole matrix from stored dev predictions. In each
draw, a target's dev examples are resampled once for all runs that touch it, corpus-level metrics
are computed anew, and every arm (a target's single runs, or its runs with one partner) gets seed
noise: the single runs once for their whole column, the joint runs of a pair for both directions.

    found = bootstrap_gains(collect_sweep(read_stored(plan, store)))
    found.interval()                      # of relative gains, [T, T] twice
    found.draws("points")                 # [B, T, T]

Where the procedure departs from resampling seeds, and why (`benchmarks/coverage.py`):

- Seeds are not drawn with replacement but smoothly: normal, with the variances of a target's arms
  drawn towards each other as far as they look alike (`analysis.scores.seed_noise`).
- Runs err on different dev examples. That part of their variance is in the resampled examples
  already; resampling seeds as well would count it three times. It is measured and taken out.
- A difference of two scores has a variance with Satterthwaite's degrees of freedom, each arm's own
  and the target's, which both have in common. Draws of the difference are stretched by one draw of
  that variance (scaled inverse chi-squared), which makes an interval from 3 seeds wide enough.

The interval is the draws' percentiles. The p-value of a cell is that of a t-test of the difference
of both scores, from the same variance and degrees of freedom: it does not end at 1 / B, as a share
of draws would, which correcting for 156 cells would not survive. q-values are Benjamini and
Hochberg's over the off-diagonal cells.

With one run per arm everywhere there is no seed noise to be measured: the interval then holds for
these very runs, and the provenance says so (`seed_noise_included`). Nothing is tested then: noise
of seeds alone would call most gains (`docs/decisions.md`).

Legend: B draws, T tasks, A arms of a target, S runs of an arm, N dev examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.arrays import Floats
from analysis.gains.scales import Scale, compute_gains
from analysis.levels import DRAWS, INTERVAL_LEVEL, take_interval
from analysis.scores.moderation import ALIKE_DF
from analysis.scores.predictions import Predictions
from analysis.scores.resampling import count_units, resample_scores, score_runs
from analysis.scores.seed_noise import SeedNoise, measure_spread, moderate
from hmnet.errors import raise_problems, suggest
from hmnet.storage.digests import digest
from hmnet.study.metrics import is_error

MOST_UNDEFINED = 0.02
"""Share of draws in which a relative gain may be undefined before it gets no interval."""


@dataclass(frozen=True, eq=False)
class GainBootstrap:
    """Scores of a sweep with their uncertainty. Sources are rows, targets columns.

    Cells of pairs that were not run are NaN; so is the diagonal, but for the gains.

    Attributes:
        tasks: T names.
        metrics: each target's metric.
        is_error: whether a target's scores are the negatives of errors, [T].
        single: mean score of each target's single runs, [T].
        joint: mean score of the target in its joint runs with the source, [T, T].
        single_draws: [B, T].
        joint_draws: [B, T, T].
        error: standard error of `joint - single`, [T, T].
        df: degrees of freedom of `error` (Satterthwaite's), [T, T].
        p_values: two-sided, of joint = single, [T, T]; NaN where seed noise is not known.
        n_units: examples (or questions) that are drawn for each target, [T].
        n_dev: dev examples of each target, [T].
        n_single, n_joint: number of runs, [T] and [T, T].
        single_noise, joint_noise: variance of one run's score over seeds, [T] and [T, T].
        noise_df: degrees of freedom of `joint_noise`, [T, T].
        settings: number of draws, seed, and what was found on the way.
    """

    tasks: tuple[str, ...]
    metrics: tuple[str, ...]
    is_error: npt.NDArray[np.bool_]
    single: Floats
    joint: Floats
    single_draws: Floats
    joint_draws: Floats
    error: Floats
    df: Floats
    p_values: Floats
    n_units: npt.NDArray[np.int64]
    n_dev: npt.NDArray[np.int64]
    n_single: npt.NDArray[np.int64]
    n_joint: npt.NDArray[np.int64]
    single_noise: Floats
    joint_noise: Floats
    noise_df: Floats
    settings: Mapping[str, float]

    def gains(self, scale: Scale = "relative") -> Floats:
        """Return the gains as measured, [T, T]; the diagonal is 0."""
        return _to_gains(self.joint, self.single, scale, self.is_error)

    def draws(self, scale: Scale = "relative") -> Floats:
        """Return the gains of every draw, [B, T, T]; the diagonal is 0."""
        return _to_gains(self.joint_draws, self.single_draws, scale, self.is_error)

    def interval(
        self, scale: Scale = "relative", level: float = INTERVAL_LEVEL
    ) -> tuple[Floats, Floats]:
        """Return the lower and the upper end of each cell's interval, [T, T].

        NaN where more than `MOST_UNDEFINED` of the draws have no gain.
        """
        draws = self.draws(scale)
        undefined = np.isnan(draws).mean(axis=0)
        is_known = (undefined <= MOST_UNDEFINED) & ~np.eye(len(self.tasks), dtype=bool)
        low, high = np.full_like(undefined, np.nan), np.full_like(undefined, np.nan)
        whole = is_known & (undefined == 0)
        low[whole], high[whole] = take_interval(draws[:, whole], level)
        for i, j in np.argwhere(is_known & (undefined > 0)).tolist():
            defined = draws[~np.isnan(draws[:, i, j]), i, j]
            low[i, j], high[i, j] = take_interval(defined, level)
        return low, high

    def q_values(self) -> Floats:
        """Return Benjamini and Hochberg's adjusted p-values over the off-diagonal cells, [T, T]."""
        return adjust(self.p_values)

    @property
    def has_seed_noise(self) -> npt.NDArray[np.bool_]:
        """Whether seed noise is in a cell's interval, [T, T]."""
        return self.noise_df > 0


def bootstrap_gains(
    predictions: Mapping[str, Predictions], draws: int = DRAWS, seed: int = 0
) -> GainBootstrap:
    """Return every gain of a sweep with its uncertainty.

    The numbers do not depend on the order of tasks, partners or runs, and a task's example draws
    do not depend on which other tasks there are.

    Args:
        predictions: task to its dev predictions; at least two tasks, partners among them.
        draws: B.
        seed: seed of all draws.

    Raises:
        InputError: if partners are unknown, or there are too few tasks or draws.
    """
    _check(predictions, draws)
    scored = [score_target(predictions[task], draws, seed) for task in predictions]
    return bootstrap_targets(scored, draws, seed)


def bootstrap_targets(
    scored: Sequence[TargetScores],
    draws: int,
    seed: int = 0,
    *,
    tasks: Sequence[str] | None = None,
) -> GainBootstrap:
    """Return every gain with its uncertainty, from scores and their draws over dev examples.

    Args:
        scored: the targets.
        draws: B, that of the targets' draws.
        seed: seed of what seeds add to each draw.
        tasks: targets and arms; those that are no target have no numbers of their own. None for
            the targets, in their order.
    """
    spreads = [measure_spread(target.scores, target.draws) for target in scored]
    noise = moderate(*(list(part) for part in zip(*spreads, strict=True)))
    correlation = _correlate_directions(scored, noise)
    seed_noise = _draw_seed_noise(scored, noise, correlation, draws, seed)
    names = tuple(target.name for target in scored) if tasks is None else tuple(tasks)
    return _assemble(names, scored, noise, seed_noise, {
        "draws": draws, "seed": seed, "directions_correlation": correlation,
    })  # fmt: skip


def adjust(p_values: Floats) -> Floats:
    """Return Benjamini and Hochberg's adjusted p-values; NaN cells are not counted."""
    adjusted = np.full_like(p_values, np.nan)
    known = ~np.isnan(p_values)
    if known.any():
        adjusted[known] = stats.false_discovery_control(p_values[known], method="bh")
    return adjusted


def _check(predictions: Mapping[str, Predictions], draws: int) -> None:
    problems = [
        f"Parameter `predictions` should have partners among its tasks. Found `{partner}` with "
        f"`{task}`.{suggest(partner, predictions)}"
        for task, found in predictions.items()
        for partner in found.joint
        if partner not in predictions
    ]
    problems += [
        f"Parameter `predictions` should name each task as its predictions do. Found `{task}` "
        f"for `{found.task}`."
        for task, found in predictions.items()
        if task != found.task
    ]
    if len(predictions) < 2:
        problems.append(
            f"Parameter `predictions` should hold at least two tasks. Found `{len(predictions)}`."
        )
    if draws < 2:
        problems.append(f"Parameter `draws` should be at least 2. Found `{draws}`.")
    raise_problems(problems)


@dataclass(frozen=True, eq=False)
class TargetScores:
    """Scores of a target's arms, the single runs first, under "".

    Attributes:
        name: the target.
        metric: what its scores are.
        n_dev: its dev examples; 0 where that is not known.
        n_units: examples (or questions) that are drawn; 0 likewise.
        arms: A names.
        seeds: the seeds of each arm's runs.
        scores: A arrays of shape [S].
        draws: their scores under resampled examples, A arrays of shape [B, S].
        is_error: whether scores are the negatives of errors.
    """

    name: str
    metric: str
    n_dev: int
    n_units: int
    arms: tuple[str, ...]
    seeds: tuple[tuple[int, ...], ...]
    scores: list[Floats]
    draws: list[Floats]
    is_error: bool = False

    @property
    def n_runs(self) -> Floats:
        """Number of runs of each arm, [A]."""
        return np.array([len(seeds) for seeds in self.seeds], dtype=np.float64)

    @property
    def means(self) -> Floats:
        """Mean score of each arm, [A]."""
        return np.array([runs.mean() for runs in self.scores])

    @property
    def mean_draws(self) -> Floats:
        """The same under resampled examples, [B, A]."""
        return np.stack([drawn.mean(axis=1) for drawn in self.draws], axis=1)


def score_target(predictions: Predictions, draws: int, seed: int) -> TargetScores:
    """Return a target's scores and their draws, [B, S], over resampled dev examples."""
    arms = {name: predictions.arms[name] for name in sorted(predictions.arms)}
    values = np.concatenate([arm.values for arm in arms.values()])
    bounds = np.cumsum([len(arm.seeds) for arm in arms.values()])[:-1]
    rng = make_generator(seed, "examples", predictions.task)
    return TargetScores(
        name=predictions.task,
        metric=predictions.metric,
        n_dev=predictions.n_examples,
        n_units=count_units(predictions),
        arms=tuple(arms),
        seeds=tuple(arm.seeds for arm in arms.values()),
        scores=np.split(score_runs(predictions, values), bounds),
        draws=np.split(resample_scores(predictions, values, draws, rng), bounds, axis=1),
        is_error=is_error(predictions.metric),
    )


def make_generator(seed: int, *names: str) -> np.random.Generator:
    """Return a generator that depends on the seed and names, not on who else draws."""
    return np.random.default_rng([seed, int(digest(*names)[:16], 16)])


def _correlate_directions(scored: Sequence[TargetScores], noise: Sequence[SeedNoise]) -> float:
    """Return the correlation over seeds of the two scores of a joint run, pooled over pairs.

    A run that trains badly often does so for both of its tasks.
    """
    deviations = {
        (target.name, partner): _standardise(target, index, found)
        for target, found in zip(scored, noise, strict=True)
        for index, partner in enumerate(target.arms)
        if partner
    }
    products, squares = 0.0, np.zeros(2)
    for one, other in combinations(sorted(target.name for target in scored), 2):
        a, b = deviations.get((one, other), {}), deviations.get((other, one), {})
        pairs = np.array([(a[seed], b[seed]) for seed in a if seed in b]).reshape(-1, 2)
        products += float(pairs[:, 0] @ pairs[:, 1])
        squares += (pairs**2).sum(axis=0)
    scale = float(np.sqrt(squares.prod()))
    return float(np.clip(products / scale, -1.0, 1.0)) if scale > 0 else 0.0


def _standardise(target: TargetScores, index: int, noise: SeedNoise) -> dict[int, float]:
    """Return seed to deviation from the arm's mean, in standard deviations."""
    runs, deviation = target.scores[index], float(np.sqrt(noise.variance[index]))
    if deviation == 0:
        return {}
    values = (runs - runs.mean()) / deviation
    return dict(zip(target.seeds[index], values.tolist(), strict=True))


def _draw_seed_noise(
    scored: Sequence[TargetScores],
    noise: Sequence[SeedNoise],
    correlation: float,
    draws: int,
    seed: int,
) -> list[Floats]:
    """Return what seeds add to each arm's mean in each draw, T arrays of shape [B, A]."""
    added = []
    for target, found in zip(scored, noise, strict=True):
        normal = np.stack(
            [_draw_normal(target.name, arm, correlation, draws, seed) for arm in target.arms],
            axis=1,
        )
        added.append(normal * np.sqrt(found.beyond_sampling / target.n_runs))
    return added


def _draw_normal(task: str, arm: str, correlation: float, draws: int, seed: int) -> Floats:
    """Return standard normal draws, [B]; those of a pair's two directions are correlated."""
    if not arm:
        return make_generator(seed, "single", task).standard_normal(draws)
    first, second = sorted((task, arm))
    pair = make_generator(seed, "pair", first, second).standard_normal((2, draws))
    if task == first:
        return pair[0]
    mixed: Floats = correlation * pair[0] + np.sqrt(1 - correlation**2) * pair[1]
    return mixed


_CELLS = ("joint", "error", "df", "p", "noise", "noise_df")


def _assemble(
    tasks: tuple[str, ...],
    scored: Sequence[TargetScores],
    noise: Sequence[SeedNoise],
    seed_noise: Sequence[Floats],
    settings: Mapping[str, float],
) -> GainBootstrap:
    size, draws, seed = len(tasks), len(seed_noise[0]), int(settings["seed"])
    cells = {name: np.full((size, size), np.nan) for name in _CELLS}
    counts = {name: np.zeros(size, np.int64) for name in ("n_units", "n_dev", "n_single")}
    n_joint, metrics = np.zeros((size, size), np.int64), [""] * size
    single, single_draws = np.full(size, np.nan), np.full((draws, size), np.nan)
    single_noise, errors = np.full(size, np.nan), np.zeros(size, bool)
    joint_draws = np.full((draws, size, size), np.nan)
    for target, found, added in zip(scored, noise, seed_noise, strict=True):
        t, means, tested = tasks.index(target.name), target.means, _test(target, found)
        level = make_generator(seed, "variance", target.name).random(draws)
        drawn = _stretch(target, found, added, tested, level)
        single[t], single_draws[:, t] = means[0], drawn[:, 0]
        sources = [tasks.index(arm) for arm in target.arms[1:]]
        joint_draws[:, sources, t] = drawn[:, 1:]
        cells["joint"][sources, t] = means[1:]
        n_joint[sources, t] = target.n_runs[1:]
        cells["noise"][sources, t] = found.variance[1:]
        cells["noise_df"][sources, t] = found.df[1:]
        single_noise[t], metrics[t] = found.variance[0], target.metric
        errors[t] = target.is_error
        counts["n_units"][t], counts["n_dev"][t] = target.n_units, target.n_dev
        counts["n_single"][t] = len(target.seeds[0])
        for name, column in tested.items():
            cells[name][sources, t] = column
    return GainBootstrap(
        tasks=tasks,
        metrics=tuple(metrics),
        is_error=errors,
        single=single,
        joint=cells["joint"],
        single_draws=single_draws,
        joint_draws=joint_draws,
        error=cells["error"],
        df=cells["df"],
        p_values=np.where(cells["noise_df"] > 0, cells["p"], np.nan),
        n_joint=n_joint,
        single_noise=single_noise,
        joint_noise=cells["noise"],
        noise_df=cells["noise_df"],
        settings=settings,
        **counts,
    )


def _test(target: TargetScores, noise: SeedNoise) -> dict[str, Floats]:
    """Return standard error, its degrees of freedom and p of each partner's difference, [A - 1].

    Without any variance p is 1 for no difference and 0 for one.
    """
    from_examples, variance = _measure_errors(target, noise)
    doubt = from_examples**2 / max(target.n_units - 1, 1) + _doubt_seeds(noise, target.n_runs)
    freedom = np.divide(variance**2, doubt, out=np.full_like(doubt, np.inf), where=doubt > 0)
    df, error = np.maximum(freedom, 1.0), np.sqrt(variance)
    difference = target.means[1:] - target.means[0]
    statistic = np.divide(difference, error, out=np.zeros_like(error), where=error > 0)
    without = np.where(difference == 0, 1.0, 0.0)
    p_values = np.where(error > 0, 2 * stats.t.sf(np.abs(statistic), df), without)
    return {"error": error, "df": df, "p": p_values}


def _measure_errors(target: TargetScores, noise: SeedNoise) -> tuple[Floats, Floats]:
    """Return each difference's variance from examples, and the whole, [A - 1] each.

    What runs err on by themselves is in both. Seeds that show less than that of it add nothing.
    """
    drawn = target.mean_draws
    from_examples = (drawn[:, 1:] - drawn[:, :1]).var(axis=0, ddof=1)
    beyond = (noise.variance - noise.sampling) / target.n_runs
    more = np.maximum(beyond[1:] + beyond[0], 0.0) if noise.shared_df > 0 else 0.0
    return from_examples, from_examples + more


def _stretch(
    target: TargetScores,
    noise: SeedNoise,
    added: Floats,
    tested: Mapping[str, Floats],
    level: Floats,
) -> Floats:
    """Return draws of each arm's mean whose differences have the variance that was tested, [B, A].

    Args:
        added: what seeds add to each arm's mean, [B, A].
        level: quantiles of the variance, [B]: one for all arms of a target.
    """
    off = target.mean_draws + added - target.means
    apart = off[:, 1:] - off[:, :1]
    spread = apart.std(axis=0, ddof=1)
    scale = np.divide(tested["error"], spread, out=np.zeros_like(spread), where=spread > 0)
    own_df = noise.df[0] if noise.shared_df > 0 else np.inf
    df = np.minimum(np.append(own_df, tested["df"]), ALIKE_DF)
    heavy = np.sqrt(df / stats.chi2.ppf(level[:, None], df))
    off[:, 0] *= heavy[:, 0]
    off[:, 1:] = off[:, :1] + apart * scale * heavy[:, 1:]
    found: Floats = target.means + off
    return found


def _doubt_seeds(noise: SeedNoise, n_runs: Floats) -> Floats:
    """Return the squared error of each difference's variance over seeds, halved, [A - 1].

    Of the part that is the target's, both arms have the same error; those of their own add up.
    """
    own = (noise.variance / n_runs) ** 2 / noise.own_df
    shared = noise.shared / n_runs
    together = (shared[1:] + shared[0]) ** 2 / max(noise.shared_df, 1.0)
    return own[1:] + own[0] + together


def _to_gains(joint: Floats, single: Floats, scale: Scale, errors: npt.NDArray[np.bool_]) -> Floats:
    """Return gains [..., T, T] from joint scores [..., T, T] and single scores [..., T]."""
    gains = compute_gains(joint, single[..., None, :], scale, is_error=errors)
    index = np.arange(joint.shape[-1])
    gains[..., index, index] = 0.0
    return gains
