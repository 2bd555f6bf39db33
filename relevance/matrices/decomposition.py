"""What of a matrix of gains is due to the source, to the target, and to the two together.

The off-diagonal gains are fitted by least squares as G_ij = m + r_i + c_j + e_ij: some sources
help everyone, some targets are easily helped, and the rest is what makes a task's partners its
own. Two plain rules stand beside the matrix, because a matrix is worth measuring only for what it
tells beyond them: the additive baseline and the size rule.

    decompose(load_reference("paper:table3")).shares

Everything here needs gains alone, so it can be said of a published table too. With bootstrap
draws it is also said how much of each share noise explains.

Legend: T tasks, B draws; sources are rows, targets columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.arrays import Floats
from analysis.gains.additive import (
    find_cells,
    fit_additive,
    has_full_rank,
    measure_noise,
    name_shares,
    split_covariance,
)
from analysis.ranks import rank_correlation
from hmnet.errors import raise_problems
from relevance.matrices.matrix import RelevanceMatrix


@dataclass(frozen=True, eq=False)
class Decomposition:
    """The additive fit of a matrix's off-diagonal gains.

    Attributes:
        mean: m.
        row: source to r_i, how much more than average it helps; they sum to 0.
        column: target to c_j; they sum to 0.
        interaction: e_ij, shape [T, T], NaN on the diagonal and in missing cells.
        shares: `row`, `column` and `interaction` to their share of the gains' variance; they sum
            to 1. A share is the covariance of the part with the whole, over the variance.
        noise_shares: how large each share would be from noise alone (of the measured variance);
            None without draws.
    """

    mean: float
    row: pd.Series
    column: pd.Series
    interaction: pd.DataFrame
    shares: Mapping[str, float]
    noise_shares: Mapping[str, float] | None


def decompose(matrix: RelevanceMatrix, draws: Floats | None = None) -> Decomposition:
    """Fit main effects to a matrix's off-diagonal values.

    Args:
        draws: values of bootstrap draws, [B, T, T] (`GainBootstrap.draws`), tasks in the matrix'
            order. Draws with a missing value in a cell that is measured are left out.

    Raises:
        InputError: for fewer than three tasks, or cells too sparse to tell rows from columns.
    """
    values = matrix.to_frame().to_numpy(dtype=np.float64)
    cells = find_cells(values)
    mean, row, column = fit_additive(values, cells)
    parts = split_covariance(values[None], cells)[0]
    total = float(parts.sum())
    tasks = list(matrix.tasks)
    rest = np.where(cells, values - mean - row[:, None] - column, np.nan)
    return Decomposition(
        mean=mean,
        row=pd.Series(row, tasks, name="row"),
        column=pd.Series(column, tasks, name="column"),
        interaction=pd.DataFrame(rest, tasks, tasks),
        shares=name_shares(parts, total),
        noise_shares=None if draws is None else name_shares(measure_noise(draws, cells), total),
    )


def is_decomposable(matrix: RelevanceMatrix) -> bool:
    """Tell whether there are three tasks, and enough measured cells to tell rows from columns."""
    return has_full_rank(find_cells(matrix.to_frame().to_numpy(dtype=np.float64)))


def predict_additive(matrix: RelevanceMatrix) -> RelevanceMatrix:
    """Return the additive baseline: each source's mean effect on the *other* targets.

    The value of a cell s -> t is the mean over targets other than s and t of what s gives them
    beyond the average source (each column centred). It never looks at column t.
    """
    values = matrix.to_frame().to_numpy(dtype=np.float64)
    cells = find_cells(values)
    kept = np.where(cells, values, 0.0)
    centred = np.where(cells, values - kept.sum(axis=0) / np.maximum(cells.sum(axis=0), 1), 0.0)
    others = centred.sum(axis=1, keepdims=True) - centred
    count = cells.sum(axis=1, keepdims=True) - cells
    baseline = np.divide(others, count, out=np.full_like(values, np.nan), where=count > 0)
    np.fill_diagonal(baseline, 0.0)
    provenance = {"baseline": "additive", "of": matrix.identity}
    return RelevanceMatrix.from_array(baseline, matrix.tasks, "additive baseline", provenance)


def judge_additive(matrix: RelevanceMatrix) -> pd.Series:
    """Return target to Spearman's correlation of its sources' gains with the additive baseline.

    NaN for a target with fewer than three sources or only equal gains.
    """
    true = matrix.to_frame().to_numpy(dtype=np.float64)
    guess = predict_additive(matrix).to_frame().to_numpy(dtype=np.float64)
    cells = find_cells(true) & np.isfinite(guess)
    rho = [
        rank_correlation(guess[cells[:, j], j], true[cells[:, j], j])
        for j in range(len(matrix.tasks))
    ]
    return pd.Series(rho, list(matrix.tasks), name="spearman")


@dataclass(frozen=True)
class SizeRule:
    """How often "a target gains from a larger partner, and loses to a smaller one" is right.

    Attributes:
        right: cells where it is.
        judged: cells with a gain other than 0 and training sets of different sizes.
    """

    right: int
    judged: int


def judge_size_rule(
    matrix: RelevanceMatrix, n_train: Mapping[str, int], level: float | None = None
) -> SizeRule:
    """Count where the size rule predicts the sign of a gain.

    Args:
        n_train: task to its number of training examples.
        level: count only cells whose q-value is below it; None for all cells.

    Raises:
        InputError: if a task's size is missing.
    """
    raise_problems(
        f"Parameter `n_train` should hold task `{task}`. It is missing."
        for task in matrix.tasks
        if task not in n_train
    )
    values = matrix.to_frame().to_numpy(dtype=np.float64)
    sizes = np.array([n_train[task] for task in matrix.tasks])
    predicted = np.sign(sizes[:, None] - sizes)
    judged = find_cells(values) & (values != 0) & (predicted != 0)
    if level is not None:
        judged &= matrix.to_frame("q_value").to_numpy(dtype=np.float64) < level
    right = judged & (np.sign(values) == predicted)
    return SizeRule(int(right.sum()), int(judged.sum()))
