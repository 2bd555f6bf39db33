"""`relevance import`, and matrices that other commands take as a plain file name."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analysis.arrays import Floats
from hmnet.errors import InputError
from hmnet.folder.outputs import Output, find_output_folder, open_output
from relevance.commands.lines import Aside
from relevance.imported.missing import describe_missing, describe_plan
from relevance.imported.results import (
    IMPORT_OPTIONS,
    ImportedResults,
    ImportOptions,
    check_folder,
    describe_reading,
    is_importable,
    load_results,
)
from relevance.matrices.draws import find_draws, read_draws
from relevance.matrices.find import find_matrix
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.own_table import SIDES, Side
from relevance.pairwise.effects import describe_effects
from relevance.pairwise.measurement import describe_measurement
from relevance.pairwise.sweep_text import describe_significant, format_matrix

MOST_SHOWN_TASKS = 13
"""Tasks of a matrix that is printed; a larger one is in its file."""


def run_import(
    out: Path | None, path: Path, options: ImportOptions = IMPORT_OPTIONS
) -> Iterator[str]:
    """Take over scores, predictions or a matrix; write what a sweep would have written.

    Nothing is written, and no folder made, where anything is wrong.
    """
    if find_output_folder(out).exists():
        check_folder(Output(find_output_folder(out)))
    results = load_results(path, options)
    written = results.write(open_output(out))
    yield from describe_reading(results)
    yield from describe_results(results)
    yield from describe_missing(results)
    yield from describe_plan(results)
    yield f"wrote {written}"
    yield f"next: {_name_next(out, written, results)}"


def describe_results(results: ImportedResults) -> Iterator[str]:
    """Yield what imported results show."""
    if results.measurement is not None:
        yield from describe_measurement(results.measurement)
    else:
        yield from describe_significant(results.matrix)
    if results.effects is not None:
        yield from describe_effects(results.effects.record)
    if results.matrix.measure == "pairwise" and len(results.matrix.tasks) <= MOST_SHOWN_TASKS:
        yield format_matrix(results.matrix)


def _name_next(out: Path | None, written: Path, results: ImportedResults) -> str:
    is_gain = results.matrix.measure == "pairwise"
    which = "" if is_gain else f" --matrix {shlex.quote(str(written))}"
    folder = "" if out is None else f" --out {shlex.quote(str(out))}"
    count = "auto" if is_gain and len(results.matrix.tasks) > 3 else "2"
    return f"relevance cluster --k {count}{which}{folder}; relevance report{folder}"


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
    notes: tuple[Aside, ...] = ()


def open_matrix(
    output: Output, study: Path | None, source: str | None, targets: str = "columns"
) -> NamedMatrix:
    """Return the matrix of that name: measured, published, or results of any kind in a file.

    Args:
        source: see `relevance.matrices.find.find_matrix`; or a table of scores or predictions.
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
    notes = tuple(Aside(f"{path}: {line}") for line in describe_reading(results))
    return NamedMatrix(results.matrix, results.draws, notes)


def _is_name(source: str) -> bool:
    """Tell whether a matrix is named, whatever files are called like it."""
    return source in ("vocab", "pairwise", "manual") or source.startswith("paper:")


def _check_side(targets: str) -> Side:
    if targets not in SIDES:
        raise InputError(f"Parameter `targets` should be one of {list(SIDES)}. Found `{targets}`.")
    return "rows" if targets == "rows" else "columns"
