"""`relevance measure` and `relevance measures`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from analysis.text_tables import format_square
from hmnet.console.speaking import Shown
from hmnet.errors import raise_problems, suggest
from hmnet.folder.freshness import Sources, deriving, note_runs, note_study
from hmnet.folder.outputs import Output
from hmnet.jobs.workers import Workers
from hmnet.study.study import Study
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import Measure
from relevance.measures.measure_inputs import MeasureInputs
from relevance.measures.registry import MEASURES


def run_measures(
    output: Output, study: Study, names: Sequence[str], workers: Workers | None = None
) -> Iterator[str]:
    """Take each measure of a study and write its matrix.

    Raises:
        InputError: for every name that is no measure or needs another command, before the first
            is taken; or if a measure is not defined for a task.
    """
    chosen = choose_measures(names)
    inputs = MeasureInputs(study, output, workers)
    for measure in chosen:
        begun = time.monotonic()
        matrix = measure.take(inputs)
        with deriving(_find_sources(output, study, measure, matrix)):
            matrix.write(output.matrix(measure.name))
        yield describe_measured(measure, matrix)
        path = output.matrix(measure.name)
        yield Shown(f"wrote {path} ({time.monotonic() - begun:.1f} s)", wrote=[path])


def describe_measured(measure: Measure, matrix: RelevanceMatrix) -> Shown:
    """Return a measure's matrix as a table in percent, sources as rows."""
    title = f"{measure.name}: {measure.title}, in percent"
    if measure.direction == "directed":
        title += "; rows are sources, columns targets"
    found = [{"measure": measure.name, "matrix": matrix.table}]
    return Shown(format_square(matrix.to_frame().mul(100), title), measures=found)


def _find_sources(
    output: Output, study: Study, measure: Measure, matrix: RelevanceMatrix
) -> Sources:
    """Return what a matrix was made from: rows, and the runs that it names."""
    runs = matrix.provenance.get("runs")
    if not isinstance(runs, Mapping):
        return Sources(measure.made_by, note_study(output, study, ("rows",)))
    return Sources(
        measure.made_by, note_study(output, study), runs=note_runs(output, map(str, runs.values()))
    )


def choose_measures(names: Sequence[str]) -> list[Measure]:
    """Return the measures that are named, each once.

    Raises:
        InputError: for every name that is no measure, or one that another command makes.
    """
    names = list(dict.fromkeys(names))
    raise_problems(
        f"Parameter `names` should be measures: {', '.join(MEASURES)}. Found `{name}`."
        f"{suggest(name, MEASURES)}"
        for name in names
        if name not in MEASURES
    )
    chosen = [MEASURES[name] for name in names]
    raise_problems(problem for each in chosen for problem in each.list_refusals())
    return chosen


def describe_measures() -> Iterator[str]:
    """Yield each measure: what it is, where it comes from, what it costs, how it is read."""
    for measure in MEASURES.values():
        yield f"{measure.name}: {measure.title}"
        yield f"    {measure.direction}; compare {measure.comparability}; {_list_kinds(measure)}"
        yield f"    needs {_NEEDS[measure.needs]}; cost: {measure.cost}"
        yield f"    {measure.made_by}; source: {measure.source}"


_NEEDS = {
    "study": "the study file",
    "data": "the tasks' rows",
    "single runs": "each task's own runs",
    "multi-task run": "one run of all tasks",
    "pair runs": "runs of every task and every pair",
}


def _list_kinds(measure: Measure) -> str:
    return " and ".join(measure.kinds)
