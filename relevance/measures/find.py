"""The matrix that a command's `--matrix` names, and its draws."""

from __future__ import annotations

from pathlib import Path

from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.study.study import resolve_study
from relevance.matrices.draws import locate_draws
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.own_table import is_own_table, read_own_table
from relevance.matrices.reference import REFERENCES, load_reference
from relevance.measures.measure_inputs import MeasureInputs
from relevance.measures.registry import MEASURES, list_standard


def find_matrix(output: Output, study: Path | None, source: str | None) -> RelevanceMatrix:
    """Return the matrix that `source` names; None takes what has been measured.

    Raises:
        InputError: if it has not been measured, or there is no such file.
    """
    source = _choose_measured(output) if source is None else source
    if source in REFERENCES or source.startswith("paper:"):
        return load_reference(source)
    measure = MEASURES.get(source)
    if measure is not None and measure.needs == "study":
        return measure.take(MeasureInputs(resolve_study(output.folder, study), output))
    path = output.matrix(source) if measure is not None else Path(source)
    if not path.exists():
        named = ", ".join((*MEASURES, *REFERENCES))
        raise InputError(
            f"Parameter `matrix` should be {named} or a file. Found `{source}`: {path} does not "
            "exist." + (f" Run `{measure.made_by}` first." if measure is not None else "")
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


def _choose_measured(output: Output) -> str:
    """Return the last standard measure that is there: gains before vocabulary."""
    names = [measure.name for measure in list_standard()]
    return next((n for n in reversed(names) if output.matrix(n).exists()), names[-1])


def find_draws(output: Output, source: str | None) -> Path:
    """Return where the draws of a matrix lie that `find_matrix` finds, if it has any."""
    if source is None or source in MEASURES or source.startswith("paper:"):
        return output.draws
    return locate_draws(Path(source))
