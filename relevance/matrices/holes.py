"""What is read as meant in a matrix that was measured elsewhere, and what is said of it.

A diagonal means nothing, whatever stands on it; a few empty cells are taken for what their source
and target have elsewhere; and gains that look like percent are told, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.gains.additive import find_cells, fit_additive, has_full_rank
from relevance.matrices.gain_table import declares_gains
from relevance.matrices.matrix import RelevanceMatrix

MOST_FILLED = 0.02
"""Share of the cells off the diagonal that are filled."""
ODD_GAIN = 1.5
"""A relative gain, as a fraction, from which a matrix may be in percent."""


@dataclass(frozen=True, eq=False)
class FilledMatrix:
    """A matrix without empty cells, and those that were filled, as source and target."""

    matrix: RelevanceMatrix
    filled: tuple[tuple[str, str], ...]


def fill_holes(matrix: RelevanceMatrix) -> FilledMatrix:
    """Return a matrix whose few empty cells hold what their source and target have elsewhere.

    An empty cell of a task with itself gets 0 among gains, else its row's mean. Where more than
    `MOST_FILLED` of the others are empty, none is filled.
    """
    values = matrix.to_frame().to_numpy(dtype=np.float64, copy=True)
    size, cells = len(values), find_cells(values)
    empty = ~np.isfinite(values)
    away = empty & ~np.eye(size, dtype=bool)
    is_few = away.sum() <= MOST_FILLED * size * (size - 1)
    if not empty.any() or not is_few or not has_full_rank(cells):
        return FilledMatrix(matrix, ())
    mean, row, column = fit_additive(values, cells)
    guess = mean + row[:, None] + column
    np.fill_diagonal(guess, 0.0 if declares_gains(matrix) else mean + row)
    table = matrix.table.assign(value=np.where(empty, guess, values).ravel())
    filled = [(matrix.tasks[s], matrix.tasks[t]) for s, t in np.argwhere(away).tolist()]
    return FilledMatrix(
        RelevanceMatrix(table, matrix.measure, dict(matrix.provenance)), tuple(filled)
    )


def describe_reading(found: FilledMatrix) -> Iterator[str]:
    """Yield what was taken for granted about a matrix' values."""
    matrix = found.matrix
    if found.filled:
        cells = ", ".join(f"{source} to {target}" for source, target in found.filled)
        yield f"empty, and taken for what source and target have elsewhere: {cells}"
    values = matrix.to_frame().to_numpy(dtype=np.float64)
    away = values[~np.eye(len(values), dtype=bool)]
    if declares_gains(matrix):
        most = away[np.nanargmax(np.abs(away))]
        if abs(most) > ODD_GAIN:
            yield (
                f"warning: gains of {most:+.0%}: a matrix holds fractions, "
                "0.05 for 5 %; where it is meant in percent, call its values `gain %`"
            )
    elif np.nanmin(away) < 0:
        yield (
            f"note: some values of `{matrix.measure}` are below zero, but nothing says that they "
            "are gains, so what groups would gain is not compared; call them `gain` in the csv "
            'file, or give the matrix the provenance {"holds": "gains"}'
        )
