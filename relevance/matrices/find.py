"""The matrix that a command's `--matrix` names."""

from __future__ import annotations

from pathlib import Path

from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.study.study import resolve_study
from relevance.matrices.manual import make_manual_matrix
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.own_table import is_own_table, read_own_table
from relevance.matrices.reference import load_reference


def find_matrix(output: Output, study: Path | None, source: str | None) -> RelevanceMatrix:
    """Return the matrix that `source` names; None takes what has been measured.

    Raises:
        InputError: if it has not been measured, or there is no such file.
    """
    if source is None:
        source = next(
            (s for s in ("pairwise", "vocab") if _measured(output, s).exists()), "pairwise"
        )
    if source.startswith("paper:"):
        return load_reference(source)
    if source == "manual":
        return make_manual_matrix(resolve_study(output.folder, study).tasks.values())
    path = _measured(output, source) if source in ("vocab", "pairwise") else Path(source)
    if not path.exists():
        raise InputError(
            f"Parameter `matrix` should be vocab, pairwise, manual, paper:table2, paper:table3 or "
            f"a file. Found `{source}`: {path} does not exist."
            + (f" Run `relevance {source}` first." if source in ("vocab", "pairwise") else "")
        )
    if is_own_table(path):
        return read_own_table(path)
    try:
        return RelevanceMatrix.read(path)
    except InputError as error:
        raise InputError(*error.problems, _WAY_IN) from None


_WAY_IN = (
    "A matrix of your own is read from a csv file: sources in the first column and targets in the "
    "first row, or the columns source, target and value; or is written in Python by "
    "`RelevanceMatrix.from_array(values, tasks, measure).write(path)`."
)


def _measured(output: Output, source: str) -> Path:
    return output.vocab if source == "vocab" else output.pairwise
