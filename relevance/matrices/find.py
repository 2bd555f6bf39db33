"""The matrix that a command's `--matrix` names."""

from __future__ import annotations

from pathlib import Path

from hmnet.errors import InputError
from hmnet.folder.freshness import tell_stale
from hmnet.folder.outputs import Output
from hmnet.study.study import resolve_study
from relevance.matrices.manual import manual_matrix
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.own_table import is_own_table, read_own_table
from relevance.matrices.reference import load_reference


def find_matrix(output: Output, study: Path | None, source: str | None) -> RelevanceMatrix:
    """Return the matrix that `source` names; None takes what has been measured.

    Raises:
        InputError: if it has not been measured, or there is no such file.
    """
    source = source or _choose_measured(output)
    if source.startswith("paper:"):
        return load_reference(source)
    path = find_measured(output, source)
    if path is None:
        return manual_matrix(resolve_study(output.folder, study).tasks.values())
    if not path.exists():
        raise InputError(
            f"Parameter `matrix` should be vocab, pairwise, manual, paper:table2, paper:table3 or "
            f"a file. Found `{source}`: {path} does not exist."
            + (f" Run `relevance {source}` first." if source in ("vocab", "pairwise") else "")
        )
    if is_own_table(path):
        return read_own_table(path)
    tell_stale(output, path)
    try:
        return RelevanceMatrix.read(path)
    except InputError as error:
        raise InputError(*error.problems, _WAY_IN) from None


_WAY_IN = (
    "A matrix of your own is read from a csv file: sources in the first column and targets in the "
    "first row, or the columns source, target and value; or is written in Python by "
    "`RelevanceMatrix.from_array(values, tasks, measure).write(path)`."
)


def find_measured(output: Output, source: str | None) -> Path | None:
    """Return the file of a matrix that `find_matrix` finds; None for one that comes from none."""
    source = source or _choose_measured(output)
    if source == "manual" or source.startswith("paper:"):
        return None
    return _measured(output, source) if source in ("vocab", "pairwise") else Path(source)


def _choose_measured(output: Output) -> str:
    return next((s for s in ("pairwise", "vocab") if _measured(output, s).exists()), "pairwise")


def _measured(output: Output, source: str) -> Path:
    return output.vocab if source == "vocab" else output.pairwise
