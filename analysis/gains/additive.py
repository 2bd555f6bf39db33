"""What of a matrix of gains is due to the source, to the target, and to the two together.

The off-diagonal gains are fitted by least squares as G_ij = m + r_i + c_j + e_ij: some sources
help everyone, some targets are easily helped, and the rest is what makes a task's partners its
own. With bootstrap draws it is also measured how much of each share noise explains.

Legend: T tasks, B draws; sources are rows, targets columns.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from analysis.arrays import Floats
from hmnet.errors import InputError

Cells: TypeAlias = npt.NDArray[np.bool_]
PARTS = ("row", "column", "interaction")


def find_cells(values: Floats) -> Cells:
    """Return the off-diagonal cells that have a value, shape [T, T]."""
    cells: Cells = np.isfinite(values) & ~np.eye(len(values), dtype=bool)
    return cells


def fit_additive(values: Floats, cells: Cells) -> tuple[float, Floats, Floats]:
    """Return m, r [T] and c [T], each of the effects summing to 0."""
    effects = (_pseudo_invert(cells) @ values[cells]).ravel()
    size = len(values)
    row: Floats = effects[1 : 1 + size]
    column: Floats = effects[1 + size :]
    return float(effects[0] + row.mean() + column.mean()), row - row.mean(), column - column.mean()


def _design(cells: Cells) -> Floats:
    """Return a row per cell: 1, its source and its target, as indicators."""
    size = len(cells)
    source, target = np.nonzero(cells)
    return np.hstack([np.ones((len(source), 1)), np.eye(size)[source], np.eye(size)[target]])


def has_full_rank(cells: Cells) -> bool:
    """Tell whether the cells determine every effect of a source and a target."""
    size = len(cells)
    return size > 2 and int(np.linalg.matrix_rank(_design(cells))) == 2 * size - 1


def _pseudo_invert(cells: Cells) -> Floats:
    if not has_full_rank(cells):
        raise InputError(
            "A matrix should have at least three tasks, and enough measured cells to tell sources "
            f"from targets. Found {len(cells)} tasks and {int(cells.sum())} cells."
        )
    return np.linalg.pinv(_design(cells)).astype(np.float64, copy=False)


def split_covariance(stack: Floats, cells: Cells) -> Floats:
    """Return covariance of each part (row, column, interaction) with the whole, [B, 3]."""
    whole = stack[:, cells]
    size, design = len(cells), _design(cells)
    effects = whole @ _pseudo_invert(cells).T
    row = effects[:, 1 : 1 + size] @ design[:, 1 : 1 + size].T
    column = effects[:, 1 + size :] @ design[:, 1 + size :].T
    centred = whole - whole.mean(axis=1, keepdims=True)
    parts = np.stack([row, column, whole - row - column], axis=1)
    products: Floats = np.einsum("bpn,bn->bp", parts, centred)
    return products / whole.shape[1]


def measure_noise(draws: Floats, cells: Cells) -> Floats:
    """Return the mean over draws of each part of what draws deviate by, [3]."""
    known = draws[np.isfinite(draws[:, cells]).all(axis=1)]
    if len(known) < 2:
        return np.full(len(PARTS), np.nan)
    return split_covariance(known - known.mean(axis=0), cells).mean(axis=0)


def name_shares(parts: Floats, total: float) -> dict[str, float]:
    """Return each part's share of the total; NaN where the total is 0."""
    shares = parts / total if total > 0 else np.full(len(PARTS), np.nan)
    return dict(zip(PARTS, shares.tolist(), strict=True))
