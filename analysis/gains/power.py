"""What a sweep can detect, before it runs; and how to split a budget of runs.

The difference of two mean scores, of a joint and a single arm, has the variance

    v (1 / S_joint + 1 / S_single) + e / N

where v is the variance of one run's dev score over seeds (as seen on the N dev examples, so that
it holds their share too) and e the variance over examples of what the partner changes in the same
way in every run. The smallest detectable gain at a power is that variance's root times the sum of
two quantiles: 2.80 standard errors for 80 % at alpha .05.

    find_detectable_gain(0.044, 3, 3)      # CB, seeds only: 0.1007, ten points

The single runs enter every gain of their column: with pairs that cost twice a single run (they
train on two tasks' data), they deserve sqrt(T - 1) times the seeds of a pair.

Legend: T tasks, S runs of an arm, N dev examples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats

from analysis.arrays import Floats
from analysis.gains.bootstrap import GainBootstrap
from analysis.levels import SIGNIFICANCE
from hmnet.errors import InputError, raise_problems

POWER = 0.8


@dataclass(frozen=True)
class Detection:
    """What it takes for a gain to count as found.

    Attributes:
        power: probability of finding it.
        alpha: level of the two-sided test of one cell.
    """

    power: float = POWER
    alpha: float = SIGNIFICANCE


DETECTION = Detection()
_NORMAL_DF = 1e6
"""Degrees of freedom from which Student's t is the normal distribution."""

PRIOR_SD = 0.02
PRIOR_SD_AT = 4000
PRIOR_SD_MOST = 0.03
PRIOR_DISAGREEMENT = 0.12
"""The prior of `expect_seed_sd`: what fine-tuned encoders show on GLUE, stated, not measured here.

With unlimited dev examples, runs of a task with `PRIOR_SD_AT` training examples differ by
`PRIOR_SD`; the SD falls with the root of the training examples and is at most `PRIOR_SD_MOST`.
Two runs of one configuration disagree on `PRIOR_DISAGREEMENT` of the dev examples. That gives 4.4
points for CB, 2.9 for RTE and 2.4 for MRPC; published runs of RoBERTa show 4.4, 5.6 and 1.9."""


def expect_seed_sd(n_dev: int, n_train: int) -> float:
    """Return a prior for the SD over seeds of one run's dev accuracy, a fraction.

    Args:
        n_dev: dev examples.
        n_train: training examples.
    """
    _check_counts(n_dev=n_dev, n_train=n_train)
    beyond = min(PRIOR_SD * math.sqrt(PRIOR_SD_AT / n_train), PRIOR_SD_MOST)
    return math.sqrt(beyond**2 + PRIOR_DISAGREEMENT / 2 / n_dev)


def find_detectable_gain(
    seed_sd: float,
    n_joint: int,
    n_single: int,
    *,
    example_sd: float = 0.0,
    n_dev: int = 1,
    df: float = math.inf,
    detection: Detection = DETECTION,
) -> float:
    """Return the smallest true gain that a two-sided test finds with the stated power.

    In the unit of the score: 0.1 is ten points of accuracy.

    Args:
        seed_sd: SD over seeds of one run's dev score.
        n_joint: runs of the joint arm.
        n_single: runs of the single arm.
        example_sd: SD over examples of what the partner changes in every run alike.
        n_dev: dev examples.
        df: degrees of freedom of `seed_sd`; infinite for a stated prior.
        detection: power and level.

    Raises:
        InputError: for counts below 1, negative SDs, or a power outside 0.5 to 1.
    """
    _check_counts(n_joint=n_joint, n_single=n_single, n_dev=n_dev)
    _check_levels(seed_sd, example_sd, df, detection)
    error = math.sqrt(seed_sd**2 * (1 / n_joint + 1 / n_single) + example_sd**2 / n_dev)
    return error * find_noncentrality(df, detection)


def find_noncentrality(df: float, detection: Detection = DETECTION) -> float:
    """Return by how many standard errors an effect must differ from 0 to be found.

    Found means significant in a two-sided test, with the right sign. `df` infinite gives the
    normal test.
    """
    power, alpha = detection.power, detection.alpha
    if math.isinf(df):
        return float(stats.norm.isf(alpha / 2) + stats.norm.ppf(power))
    limit, most = float(stats.t.isf(alpha / 2, df)), (1 + power) / 2
    # estimate and standard error each stay on the right side of theirs with probability `most`
    highest = limit * math.sqrt(stats.chi2.ppf(most, df) / df) + float(stats.norm.ppf(most))
    return float(optimize.brentq(lambda d: stats.nct.sf(limit, df, d) - power, 0, highest))


@dataclass(frozen=True)
class Split:
    """Seeds for single and pair runs.

    Attributes:
        n_single: seeds of every single run.
        n_pair: seeds of every pair run.
        cost: what they cost together, in single runs.
        variance: 1 / n_single + 1 / n_pair, what a gain's variance over seeds is multiplied with.
    """

    n_single: int
    n_pair: int
    cost: float
    variance: float


def split_budget(budget: float, n_tasks: int, pair_cost: float = 2.0) -> Split:
    """Return the numbers of seeds within a budget that make gains most certain.

    All T single runs get one number of seeds, all T (T - 1) / 2 pairs another. Of two equally
    certain splits it is the cheaper one.

    Args:
        budget: total cost, in single runs.
        n_tasks: T.
        pair_cost: cost of a pair run in single runs: 2 in tokens, 1 to count runs.

    Raises:
        InputError: if the budget does not pay one seed of everything.
    """
    _check_counts(n_tasks=n_tasks - 1)
    pairs = n_tasks * (n_tasks - 1) / 2 * pair_cost
    if not pair_cost > 0 or budget < n_tasks + pairs:
        raise InputError(
            f"Parameter `budget` should pay one seed of {n_tasks} single runs and of all their "
            f"pairs, {n_tasks + pairs:g}. Found `{budget:g}`."
        )
    options = [
        _price(int((budget - n_pair * pairs) // n_tasks), n_pair, n_tasks, pairs)
        for n_pair in range(1, int((budget - n_tasks) // pairs) + 1)
    ]
    return min(options, key=lambda option: (option.variance, option.cost))


def _price(n_single: int, n_pair: int, n_tasks: int, pairs: float) -> Split:
    return Split(n_single, n_pair, n_single * n_tasks + n_pair * pairs, 1 / n_single + 1 / n_pair)


def tabulate_prior_power(
    sizes: Mapping[str, tuple[int, int]], n_joint: int, n_single: int
) -> pd.DataFrame:
    """Return a row per target: what seeds will let a sweep detect, before any run.

    Columns: `task`, `n_dev`, `n_train`, `seed_sd` (`expect_seed_sd`), `detectable` (points, as a
    fraction) and `per_example`. It is the least that a gain must be: what a partner changes alike
    in every run on some examples only is not known yet.

    Args:
        sizes: task to its numbers of dev and of training examples.
        n_joint, n_single: seeds of the pair and of the single runs.
    """
    rows = []
    for task, (n_dev, n_train) in sizes.items():
        seed_sd = expect_seed_sd(n_dev, n_train)
        detectable = find_detectable_gain(seed_sd, n_joint, n_single)
        rows.append((task, n_dev, n_train, seed_sd, detectable, 1 / n_dev))
    columns = ["task", "n_dev", "n_train", "seed_sd", "detectable", "per_example"]
    return pd.DataFrame(rows, columns=columns)


def find_level(found: GainBootstrap, rate: float = SIGNIFICANCE) -> float:
    """Return the level of one cell's test that a false discovery rate comes to.

    Benjamini and Hochberg's largest p-value that counts: the rate times the share of cells beyond
    noise (of at least one).
    """
    q_values = found.q_values()
    tested = int((~np.isnan(q_values)).sum())
    return rate * max(int((q_values < rate).sum()), 1) / max(tested, 1)


def tabulate_power(found: GainBootstrap, detection: Detection = DETECTION) -> pd.DataFrame:
    """Return a row per target: what the sweep could detect with the runs that it has.

    Columns: `task`, `n_dev`, `n_single`, `n_joint` (fewest of its pairs), `seed_sd` of one run's
    score (the pooled estimate, NaN if unknown), `example_sd` of a partner's lasting change,
    `detectable` (points, as a fraction), `detectable_relative` (of the single score), and
    `per_example`, what one dev example is worth. SDs are medians over the target's cells;
    `detectable` is found in a cell drawn from them with the stated power.

    Args:
        detection: power and level; `find_level` for cells that are judged by q-values.
    """
    rows = [_describe_target(found, target, detection) for target in range(len(found.tasks))]
    return pd.DataFrame(rows)


def _describe_target(found: GainBootstrap, target: int, detection: Detection) -> dict[str, object]:
    cells = np.flatnonzero(~np.isnan(found.joint[:, target]))
    n_dev = int(found.n_dev[target])
    row: dict[str, object] = {
        "task": found.tasks[target],
        "n_dev": n_dev,
        "n_single": int(found.n_single[target]),
        "n_joint": int(found.n_joint[cells, target].min()) if len(cells) else 0,
    }
    known = cells[found.noise_df[cells, target] > 0]
    has_any = len(known) > 0
    errors, dfs = found.error[known, target], found.df[known, target]
    detectable = find_detectable(errors, dfs, detection) if has_any else math.nan
    noise, single = found.joint_noise[known, target], float(found.single[target])
    base = -single if found.is_error[target] else single
    return {
        **row,
        "seed_sd": float(np.sqrt(np.median(noise))) if has_any else math.nan,
        "example_sd": float(np.median(_find_example_sd(found, known, target)))
        if has_any
        else math.nan,
        "detectable": detectable,
        "detectable_relative": detectable / base if base > 0 else math.nan,
        "per_example": 1 / float(n_dev) if n_dev else math.nan,
    }


def find_detectable(errors: Floats, dfs: Floats, detection: Detection = DETECTION) -> float:
    """Return the gain that is found with the stated power in a cell drawn from several.

    Standard errors that were estimated are known no better than the gains are: d is found in a cell
    with the probability that Student's t exceeds its limit less d over the standard error.

    Args:
        errors: standard errors, [C].
        dfs: their degrees of freedom, [C].
    """
    dfs = np.minimum(dfs, _NORMAL_DF)
    limit, likely = stats.t.isf(detection.alpha / 2, dfs), stats.t.ppf(detection.power, dfs)
    each = errors * (limit + likely)
    if np.ptp(each) <= 1e-12 * each.max():
        return float(each.mean())
    safe = np.maximum(errors, 1e-12)
    return float(
        optimize.brentq(
            lambda d: float(np.mean(stats.t.sf(limit - d / safe, dfs))) - detection.power,
            each.min(),
            each.max(),
            xtol=1e-9,
        )
    )


def _find_example_sd(
    found: GainBootstrap, sources: np.ndarray[tuple[int], np.dtype[np.intp]], target: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the SD over dev units of what each source changes in every run alike."""
    over_seeds = found.joint_noise[sources, target] / found.n_joint[sources, target]
    over_seeds = over_seeds + found.single_noise[target] / found.n_single[target]
    left = np.maximum(found.error[sources, target] ** 2 - over_seeds, 0.0)
    return np.sqrt(left * found.n_units[target])


def _check_counts(**counts: int) -> None:
    raise_problems(
        f"Parameter `{name}` should be at least 1. Found `{count}`."
        for name, count in counts.items()
        if count < 1
    )


def _check_levels(seed_sd: float, example_sd: float, df: float, detection: Detection) -> None:
    power, alpha = detection.power, detection.alpha
    problems = [
        f"Parameter `{name}` should not be negative. Found `{value}`."
        for name, value in (("seed_sd", seed_sd), ("example_sd", example_sd))
        if not value >= 0
    ]
    if not df > 0:
        problems.append(f"Parameter `df` should be positive. Found `{df}`.")
    if not 0 < alpha < 0.5 <= power < 1:
        problems.append(
            "Parameters `alpha` and `power` should satisfy 0 < alpha < 0.5 <= power < 1. "
            f"Found `{alpha}` and `{power}`."
        )
    raise_problems(problems)
