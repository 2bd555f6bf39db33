"""The matrix that a command was given by name: of this package, or any trainer's, in a file.

named = open_matrix(output, None, "scores.csv")
named.matrix, named.draws
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis.arrays import Floats
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from relevance.imported.imported_results import (
    ImportOptions,
    describe_import,
    is_importable,
    load_results,
)
from relevance.matrices.draws import read_draws
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.own_table import SIDES, Side
from relevance.measures.find import find_draws, find_matrix
from relevance.measures.registry import MEASURES


@dataclass(frozen=True, eq=False)
class NamedMatrix:
    """A matrix that a command was given by name.

    Attributes:
        matrix: itself.
        draws: in every bootstrap draw, [B, T, T]; None where there are none.
        notes: how it was read, where it is from elsewhere.
    """

    matrix: RelevanceMatrix
    draws: Floats | None
    notes: tuple[str, ...] = ()


def open_matrix(
    output: Output, study: Path | None, source: str | None, targets: str = "columns"
) -> NamedMatrix:
    """Return the matrix of that name: measured, published, or results of any kind in a file.

    Args:
        source: see `relevance.measures.find.find_matrix`; or a table of scores or predictions.
        targets: where a wide table of one's own has its targets: columns or rows.

    Raises:
        InputError: if there is none, with every problem of its file.
    """
    side = _check_side(targets)
    path = Path(source) if source is not None and not _is_name(source) else None
    if path is None or not is_importable(path):
        matrix = find_matrix(output, study, source)
        return NamedMatrix(matrix, read_draws(find_draws(output, source), matrix))
    results = load_results(path, ImportOptions(targets=side))
    notes = tuple(f"{path}: {line}" for line in describe_import(results))
    return NamedMatrix(results.matrix, results.draws, notes)


def _is_name(source: str) -> bool:
    """Tell whether a matrix is named, whatever files are called like it."""
    return source in MEASURES or source.startswith("paper:")


def _check_side(targets: str) -> Side:
    if targets not in SIDES:
        raise InputError(f"Parameter `targets` should be one of {list(SIDES)}. Found `{targets}`.")
    return "rows" if targets == "rows" else "columns"
