r"""What every cheap measure is worth, beside the gains that were measured.

    yardstick = Yardstick.of(matrix, draws)
    table = judge_guesses(yardstick, guesses)          # the columns of `AGREEMENT`

Each guess of the gains is judged target by target (Spearman's correlation, regret@1 and @3; ties
in random order) and by the groups that it would give. Measured gains are noisy, and so is a verdict
by them, in two ways that are set right apart:

- a correlation is too small; it is divided by the root of the gains' reliability (Spearman 1904);
- the best of many noisy gains is too good, and so is every regret. What the best source, and the
  best groups, truly gain is taken from many matrices that the true gains may be
  (`analysis.gains.posterior`). What a measure chooses without having seen a run of a pair is not
  chosen for its luck, and gains on average what was measured. A design and a screen have seen such
  runs, as has the additive baseline: for them these matrices say both.

Intervals are over these matrices and over targets, which are resampled.

Three baselines stand beside the measures: a random order, the size rule, and the additive one (each
source's mean effect on the *other* targets, which costs the whole sweep); and the sweep itself,
judged by a repetition of it.

Legend: B draws, T tasks; sources are rows, targets columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from analysis.arrays import Floats, Labels
from analysis.gains.additive import find_cells
from analysis.guesses.worth import (
    average_chosen,
    correlate_sources,
    expect_regret,
    gain_in_groups,
    gain_in_random_groups,
    group_by_guess,
)
from analysis.levels import INTERVAL_LEVEL, take_interval
from relevance.agreement.agreement_format import AGREEMENT
from relevance.agreement.yardstick import MOST_DRAWS, Yardstick
from relevance.matrices.comparison import disattenuate
from relevance.matrices.decomposition import predict_additive
from relevance.matrices.matrix import RelevanceMatrix

TOPS = (1, 3)
"""k of regret@k."""
RESAMPLED = 10
"""Resamples of the targets for each matrix that the true gains may be."""
LEAST_RESAMPLES = 1000
Kind = Literal["baseline", "measure", "layer", "design", "screen", "sweep"]


@dataclass(frozen=True, eq=False)
class Guess:
    """What is judged.

    Attributes:
        name: as commands call it.
        kind: what it is.
        matrix: its values, NaN where it says nothing.
        cost_frac: what it costs, as a share of the sweep; NaN where that is not known.
        holds_gains: whether values are gains, whose sign says who should be alone.
    """

    name: str
    kind: Kind
    matrix: RelevanceMatrix
    cost_frac: float
    holds_gains: bool = False

    @property
    def is_blind(self) -> bool:
        """Whether it was made without having seen a run of a pair."""
        return self.kind in ("measure", "layer") or self.name == "size"


def judge_guesses(yardstick: Yardstick, guesses: Iterable[Guess]) -> pd.DataFrame:
    """Return a row per guess, baselines and the sweep among them: the columns of `AGREEMENT`."""
    rows = [_judge_random(yardstick)]
    rows += [_judge(yardstick, guess) for guess in (*guesses, *_list_own(yardstick))]
    rows.append(_judge_sweep(yardstick))
    return pd.DataFrame(rows, columns=list(AGREEMENT.columns))


def _list_own(yardstick: Yardstick) -> Iterator[Guess]:
    matrix = RelevanceMatrix.from_array(yardstick.values, yardstick.matrix.tasks, "pairwise")
    yield Guess("additive baseline", "baseline", predict_additive(matrix), 1.0, holds_gains=True)


def _judge(yardstick: Yardstick, guess: Guess) -> dict[str, object]:
    values = read_guess(guess.matrix, yardstick.matrix.tasks)
    cells = find_cells(yardstick.values)
    labels = group_by_guess(values, yardstick.groups, holds_gains=guess.holds_gains)
    return {
        "name": guess.name,
        "kind": guess.kind,
        "cost_frac": guess.cost_frac,
        "known_frac": float(np.isfinite(values[cells]).mean()),
        **_judge_order(yardstick, values, yardstick.values[None], is_blind=guess.is_blind),
        "groups": len(np.unique(labels)),
        **_judge_labels(yardstick, labels, is_blind=guess.is_blind),
    }


def read_guess(matrix: RelevanceMatrix, tasks: Sequence[str]) -> Floats:
    """Return a matrix' values for some tasks, NaN for those that it does not hold, [T, T]."""
    wide = matrix.to_frame().reindex(index=list(tasks), columns=list(tasks))
    return wide.to_numpy(dtype=np.float64)


def _judge_random(yardstick: Yardstick) -> dict[str, object]:
    nothing = np.full_like(yardstick.values, np.nan)
    return {
        "name": "random order",
        "kind": "baseline",
        "cost_frac": 0.0,
        "known_frac": 0.0,
        **_judge_order(yardstick, nothing, yardstick.values[None], is_blind=True),
        "groups": yardstick.groups,
        **_judge_groups(
            yardstick,
            gain_in_random_groups(yardstick.values[None], yardstick.best),
            gain_in_random_groups(yardstick.noisy, yardstick.best),
            gain_in_random_groups(yardstick.truths, yardstick.best),
        ),
    }


def _judge_sweep(yardstick: Yardstick) -> dict[str, object]:
    """Judge the measured gains by what a repetition would measure, and by what is true."""
    judges = yardstick.truths + (yardstick.noisy - yardstick.values)
    return {
        "name": "pairwise",
        "kind": "sweep",
        "cost_frac": 1.0,
        "known_frac": 1.0,
        **_judge_order(yardstick, yardstick.values, judges, is_blind=False),
        "groups": yardstick.groups,
        **_judge_labels(yardstick, yardstick.best, is_blind=False),
    }


def _judge_order(
    yardstick: Yardstick, guess: Floats, judges: Floats, *, is_blind: bool
) -> dict[str, object]:
    """Return the correlation and the regrets of a guess, [T, T], by measured gains, [B, T, T]."""
    rho = correlate_sources(guess, judges)
    found: dict[str, object] = {"targets": int(np.isfinite(rho[0]).sum())}
    found |= _correct_correlation(yardstick, guess, rho)
    for k in TOPS:
        found |= _spread(
            f"regret{k}",
            expect_regret(guess, judges, k),
            _expect_true_regret(yardstick, guess, k, is_blind=is_blind),
            is_known=yardstick.is_noise_known,
        )
    return found


def _expect_true_regret(yardstick: Yardstick, guess: Floats, k: int, *, is_blind: bool) -> Floats:
    """Return regret@k by what the true gains may be, [B, T].

    The first k of a blind guess gain as much as was measured of them on average, and not what is
    left of that after shrinking.
    """
    found = expect_regret(guess, yardstick.truths, k)
    if is_blind and yardstick.is_noise_known:
        found = found + average_chosen(guess, yardstick.truths, k)
        found = found - average_chosen(guess, yardstick.noisy, k)
    return found


def _correct_correlation(yardstick: Yardstick, guess: Floats, rho: Floats) -> dict[str, object]:
    """Return the mean correlation over targets, and what it is without the gains' noise."""
    each = rho.mean(axis=0)
    each = each[np.isfinite(each)]
    if not len(each):
        return dict.fromkeys(
            ("spearman", "spearman_true", "spearman_low", "spearman_high"), math.nan
        )
    mean = float(each.mean())
    true = disattenuate(mean, None, yardstick.reliability)
    margin = _find_margin(yardstick, guess, each)
    scale = 1.0 if true is None or mean == 0 else true / mean
    centre = mean if true is None else true
    low, high = np.clip((centre - scale * margin, centre + scale * margin), -1, 1).tolist()
    return {
        "spearman": mean,
        "spearman_true": math.nan if true is None else true,
        "spearman_low": low,
        "spearman_high": high,
    }


def _find_margin(yardstick: Yardstick, guess: Floats, each: Floats) -> float:
    """Return half of the interval of a mean over targets, for draws of gains and for targets."""
    if len(each) < 2:
        return math.nan
    variance = float(each.var(ddof=1)) / len(each)
    if yardstick.draws is not None:
        cells = find_cells(yardstick.values)
        draws = np.where(cells, yardstick.draws[:MOST_DRAWS], np.nan)
        by_draw = correlate_sources(guess, draws)
        kept = np.isfinite(by_draw).all(axis=0)
        if kept.any():
            variance += float(by_draw[:, kept].mean(axis=1).var())
    return float(stats.t.ppf(0.5 + INTERVAL_LEVEL / 2, len(each) - 1)) * math.sqrt(variance)


def _judge_labels(yardstick: Yardstick, labels: Labels, *, is_blind: bool) -> dict[str, object]:
    measured, noisy, true = (
        gain_in_groups(each, labels)
        for each in (yardstick.values[None], yardstick.noisy, yardstick.truths)
    )
    return _judge_groups(yardstick, measured, noisy if is_blind else true, true)


def _judge_groups(
    yardstick: Yardstick, measured: Floats, expected: Floats, true: Floats
) -> dict[str, object]:
    """Return what tasks gain in groups.

    Args:
        measured: as measured, [1, T].
        expected: of the true gains, as far as their choice was blind to these, [B, T].
        true: of the true gains as they may be, as the best groups are valued, [B, T].
    """
    kept = find_cells(yardstick.values).any(axis=0)
    best = float(gain_in_groups(yardstick.truths, yardstick.best)[:, kept].mean())
    found = _spread("gain", measured[:, kept], expected[:, kept], is_known=yardstick.is_noise_known)
    return {**found, "gain_frac": float(true[:, kept].mean()) / best if best > 0 else math.nan}


def _spread(name: str, measured: Floats, true: Floats, *, is_known: bool) -> dict[str, object]:
    """Return the mean over targets as measured and as expected of the truth, with its interval.

    Args:
        measured, true: [B, T], NaN for targets that cannot be judged.
        is_known: whether `true` holds more than the measured gains.
    """
    each = true[:, np.isfinite(true[0])]
    low, high = _resample(each) if each.size else (math.nan, math.nan)
    found = {
        name: float(np.nanmean(measured)) if np.isfinite(measured).any() else math.nan,
        f"{name}_true": float(each.mean()) if is_known and each.size else math.nan,
        f"{name}_low": low,
        f"{name}_high": high,
    }
    floor = -math.inf if name == "gain" else 0.0  # no regret is below 0 but for noise
    return {
        column: value if math.isnan(value) else max(value, floor) for column, value in found.items()
    }


def _resample(each: Floats) -> tuple[float, float]:
    """Return the interval of the mean of a row, [B, T], over rows and resampled targets."""
    rng = np.random.default_rng(0)
    turns = max(RESAMPLED, -(-LEAST_RESAMPLES // len(each)))
    size = each.shape[1]
    chosen = rng.integers(0, size, (turns, len(each), size))
    means = np.take_along_axis(each[None], chosen, axis=2).mean(axis=2)
    low, high = take_interval(means.reshape(-1, 1), INTERVAL_LEVEL)
    return float(low[0]), float(high[0])
