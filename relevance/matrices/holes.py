"""What is read as meant in a matrix that was measured elsewhere, and what is said of it.

A diagonal means nothing, whatever stands on it; tasks that are a source alone, or a target alone,
cannot be grouped; empty cells are taken for what their source and target have elsewhere; and gains
that look like percent are told, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.arrays import Floats
from analysis.gains.additive import Cells, find_cells, fit_additive, has_full_rank
from hmnet.errors import InputError
from relevance.matrices.gain_table import declares_gains, holds_gains
from relevance.matrices.matrix import RelevanceMatrix

MOST_FILLED = 0.02
"""Share of the cells off the diagonal that are filled in a matrix that this package measured."""
ODD_GAIN = 1.5
"""A relative gain, as a fraction, from which a matrix may be in percent."""
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class FilledMatrix:
    """A matrix as it is grouped.

    Attributes:
        matrix: itself, its empty cells filled.
        filled: those that were, as source and target.
        left_out: tasks that are not both source and target.
    """

    matrix: RelevanceMatrix
    filled: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()


def is_from_elsewhere(matrix: RelevanceMatrix) -> bool:
    """Tell whether a matrix was not measured by runs of this package."""
    return "file" in matrix.provenance or "imported" in matrix.provenance


def has_gaps(matrix: RelevanceMatrix) -> bool:
    """Tell whether a cell off the diagonal is empty."""
    size = len(matrix.tasks)
    return int(find_cells(_read(matrix)).sum()) < size * (size - 1)


def fill_holes(matrix: RelevanceMatrix) -> FilledMatrix:
    """Return a matrix whose empty cells hold what their source and target have elsewhere.

    An empty cell gets the sum of its source's and its target's mean effect, where enough others
    are there to tell these apart. One of a task with itself gets 0 among gains, else its source's
    mean. Of a matrix from elsewhere any number is filled, and tasks that are not both source and
    target are left out; of one that this package measured, none where more than `MOST_FILLED` are
    empty: there a gap is a run that failed.

    Raises:
        InputError: if fewer than two tasks are left.
    """
    left_out = _find_partial(matrix) if is_from_elsewhere(matrix) else ()
    if left_out:
        matrix = matrix.select([task for task in matrix.tasks if task not in left_out])
    values = _read(matrix)
    empty = ~np.isfinite(values)
    away = empty & ~np.eye(len(values), dtype=bool)
    if not empty.any() or not _may_fill(matrix, away):
        return FilledMatrix(matrix, (), left_out)
    table = matrix.table.assign(value=np.where(empty, _guess(matrix, values), values).ravel())
    filled = [(matrix.tasks[s], matrix.tasks[t]) for s, t in np.argwhere(away).tolist()]
    return FilledMatrix(replace(matrix, table=table), tuple(filled), left_out)


def _read(matrix: RelevanceMatrix) -> Floats:
    return matrix.to_frame().to_numpy(dtype=np.float64, copy=True)


def _find_partial(matrix: RelevanceMatrix) -> tuple[str, ...]:
    """Return the tasks that are no source, or no target."""
    cells = find_cells(_read(matrix))
    is_whole = np.logical_and(cells.any(axis=0), cells.any(axis=1)).tolist()
    left_out = tuple(t for t, whole in zip(matrix.tasks, is_whole, strict=True) if not whole)
    if len(matrix.tasks) - len(left_out) < 2:
        raise InputError(
            "A matrix to group tasks by should hold at least two that are source and target. Found "
            f"{[task for task in matrix.tasks if task not in left_out]}."
        )
    return left_out


def _may_fill(matrix: RelevanceMatrix, away: Cells) -> bool:
    """Tell whether empty cells are filled; `away` are those off the diagonal, [T, T]."""
    size = len(away)
    if not away.any():
        return True
    is_few = is_from_elsewhere(matrix) or away.sum() <= MOST_FILLED * size * (size - 1)
    return bool(is_few) and has_full_rank(find_cells(_read(matrix)))


def _guess(matrix: RelevanceMatrix, values: Floats) -> Floats:
    """Return what a cell's source and target have elsewhere, [T, T]."""
    cells = find_cells(values)
    if has_full_rank(cells):
        mean, row, column = fit_additive(values, cells)
    else:  # two tasks: only the diagonal is empty
        mean, row, column = 0.0, np.nanmean(np.where(cells, values, np.nan), axis=1), np.zeros(1)
    guess: Floats = mean + row[:, None] + np.broadcast_to(column, len(values))
    np.fill_diagonal(guess, 0.0 if holds_gains(matrix) else mean + row)
    return guess


def describe_reading(found: FilledMatrix) -> Iterator[str]:
    """Yield what was taken for granted about a matrix' values."""
    matrix = found.matrix
    if found.left_out:
        yield f"not grouped, as they are not both source and target: {list_names(found.left_out)}"
    if found.filled:
        cells = list_names([f"{source} to {target}" for source, target in found.filled])
        yield f"empty, and taken for what source and target have elsewhere: {cells}"
    values = matrix.to_frame().to_numpy(dtype=np.float64)
    away = values[~np.eye(len(values), dtype=bool)]
    if declares_gains(matrix):
        most = away[np.nanargmax(np.abs(away))]
        if abs(most) > ODD_GAIN and "unit" not in matrix.provenance:  # else it was said already
            yield (
                f"warning: gains of {most:+.0%}: a matrix holds fractions, "
                "0.05 for 5 %; where it is meant in percent, call its values `gain %`"
            )
    elif np.nanmin(away) < 0 and "holds" not in matrix.provenance:
        yield (
            f"note: some values of `{matrix.measure}` are below zero, but nothing says that they "
            "are gains, so what groups would gain is not compared; call them `gain` in the csv "
            'file, or give the matrix the provenance {"holds": "gains"}'
        )


def list_names(names: Sequence[str]) -> str:
    """Return the first few of some names, and how many more there are."""
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN))
