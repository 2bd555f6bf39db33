"""The measured gains that guesses are judged by, and what the true ones may be.

Legend: B draws, T tasks; sources are rows, targets columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats, Labels
from analysis.gains.additive import find_cells, has_full_rank
from analysis.gains.posterior import LEAST_DRAWS, LEAST_TASKS, GainPosterior
from analysis.guesses.worth import group_by_guess
from hmnet.errors import InputError
from relevance.matrices.comparison import measure_reliability
from relevance.matrices.matrix import RelevanceMatrix

MOST_DRAWS = 200
MOST_TASKS = 34
"""Most tasks whose plausible gains are drawn; of more, targets alone are resampled."""


@dataclass(frozen=True, eq=False)
class Yardstick:
    """The gains that guesses are judged by.

    Attributes:
        matrix: as measured; targets that learned nothing alone are left out of the judgement.
        values: its gains, [T, T], NaN where there is nothing to judge by.
        draws: bootstrap draws of it, [B, T, T]; None where there are none.
        truths: what the true gains may be, [B, T, T]; the measured ones where draws are missing.
        noisy: the measured gains with as much noise again, around them, [B, T, T].
        reliability: share of the variance between a target's sources that is not noise.
        best: the groups with the highest expected gain, [T].
        expected: the true gains' mean, or the measured ones, [T, T].
    """

    matrix: RelevanceMatrix
    values: Floats
    draws: Floats | None
    truths: Floats
    noisy: Floats
    reliability: float | None
    best: Labels
    expected: Floats

    @classmethod
    def of(cls, matrix: RelevanceMatrix, draws: Floats | None) -> Yardstick:
        """Return the yardstick of a matrix of gains and its draws, [B, T, T].

        Raises:
            InputError: for fewer than four tasks, or hardly any gains.
        """
        values = _leave_out_undefined(matrix)
        cells = find_cells(values)
        if len(values) < LEAST_TASKS or not cells.any():
            raise InputError(
                f"Parameter `gains` should be a matrix of at least {LEAST_TASKS} tasks with gains. "
                f"Found {len(values)} tasks and {int(cells.sum())} gains."
            )
        reliability = measure_reliability(matrix, draws)
        expected, truths, noisy = values, values[None], values[None]
        known = cells.any(axis=0)
        is_noisy = draws is not None and len(draws) >= LEAST_DRAWS
        is_noisy &= has_full_rank(cells[np.ix_(known, known)])
        if draws is not None and is_noisy and len(values) <= MOST_TASKS:
            expected, truths, noisy = _draw_truths(values, draws[:MOST_DRAWS])
        best = group_by_guess(expected, 2, holds_gains=True)
        return cls(matrix, values, draws, truths, noisy, reliability, best, expected)

    @property
    def is_noise_known(self) -> bool:
        """Whether anything says what the true gains may be."""
        return len(self.truths) > 1

    @property
    def groups(self) -> int:
        """The number of groups that a likeness is given."""
        return len(np.unique(self.best))


def _leave_out_undefined(matrix: RelevanceMatrix) -> Floats:
    values = matrix.to_frame().to_numpy(dtype=np.float64, copy=True)
    if "undefined" in matrix.table:
        is_undefined = matrix.to_frame("undefined").to_numpy() == True  # noqa: E712 (may hold None)
        values[is_undefined] = np.nan
    return np.where(find_cells(values), values, np.nan)


def _draw_truths(values: Floats, draws: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the mean of the true gains, draws of them, and draws of measured ones around `values`.

    NaN where none was measured.
    """
    draws = np.where(np.isfinite(values), draws, np.nan)
    posterior = GainPosterior.of(values, draws)
    off = np.nan_to_num(draws - draws.mean(axis=0))
    truths = posterior.sample(off, np.random.default_rng(0))
    cells = find_cells(values)
    found = posterior.mean, truths, values + off
    return tuple(np.where(cells, each, np.nan) for each in found)  # type: ignore[return-value]
