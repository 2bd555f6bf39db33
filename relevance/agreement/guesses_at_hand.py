"""The guesses of an output folder: every measure that was taken, and what each has cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hmnet.errors import InputError
from hmnet.folder.freshness import tell_stale
from hmnet.folder.outputs import Output
from hmnet.storage.tables import read_table
from hmnet.study.study import Study
from relevance.agreement.judging import Guess, Kind
from relevance.matrices.gain_table import declares_gains
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.layer_columns import list_layers
from relevance.measures.measure import COST, Measure
from relevance.measures.measure_inputs import MeasureInputs
from relevance.measures.registry import MEASURES
from relevance.pairwise.sweep_record_format import SCORES

KINDS: dict[str, Kind] = {"size": "baseline", "design": "design", "screen": "screen"}


@dataclass(frozen=True, eq=False)
class GuessesAtHand:
    """What can be judged.

    Attributes:
        guesses: measures that were taken.
        files: their files.
        missing: those that were not.
    """

    guesses: tuple[Guess, ...]
    files: tuple[Path, ...]
    missing: tuple[Measure, ...]


def find_guesses(output: Output, study: Study | None, tasks: tuple[str, ...]) -> GuessesAtHand:
    """Return every measure of a folder; those that need its study file alone are taken here.

    Args:
        study: None for results of another trainer, whose study is not known.
        tasks: those of the measured gains.
    """
    costs = _find_costs(output, tasks)
    guesses: list[Guess] = []
    files: list[Path] = []
    missing: list[Measure] = []
    for measure in MEASURES.values():
        if measure.holds_truth:
            continue
        path = output.matrix(measure.name)
        matrix = _read(output, study, measure, path)
        if matrix is None:
            missing.append(measure)
            continue
        files += [path] if path.exists() else []
        guesses.append(to_guess(measure.name, matrix, _find_cost(measure, matrix, costs)))
    return GuessesAtHand(tuple(guesses), tuple(files), tuple(missing))


def to_guess(name: str, matrix: RelevanceMatrix, cost_frac: float = math.nan) -> Guess:
    """Return a matrix as a guess of gains."""
    return Guess(name, KINDS.get(name, "measure"), matrix, cost_frac, declares_gains(matrix))


def _read(
    output: Output, study: Study | None, measure: Measure, path: Path
) -> RelevanceMatrix | None:
    if path.exists():
        tell_stale(output, path)
        return RelevanceMatrix.read(path)
    if measure.needs != "study" or study is None:
        return None
    return measure.take(MeasureInputs(study, output))


def _find_cost(measure: Measure, matrix: RelevanceMatrix, single_runs: float) -> float:
    """Return what a measure costs, as a share of the sweep; reading rows counts for nothing."""
    stated = matrix.provenance.get(COST)
    if isinstance(stated, int | float):
        return float(stated)
    if measure.needs in ("single runs", "multi-task run"):
        return single_runs
    return 0.0 if measure.needs in ("study", "data") else math.nan


def _find_costs(output: Output, tasks: tuple[str, ...]) -> float:
    """Return what one seed of all single runs costs, as a share of a sweep's passes over tasks.

    One run of all tasks costs the same.
    """
    try:
        passes = len(read_table(output.scores, SCORES.schema)[0])
    except InputError:
        passes = len(tasks) ** 2  # T single runs, and T (T - 1) / 2 pairs of two tasks each
    return len(tasks) / max(passes, len(tasks))


def split_layers(guesses: Iterable[Guess]) -> Iterator[Guess]:
    """Yield a guess for each layer, and each head, that a measure's matrix holds."""
    for guess in guesses:
        for heads in (False, True):
            for layer, values in list_layers(guess.matrix, heads=heads):
                matrix = RelevanceMatrix.from_array(values, guess.matrix.tasks, guess.name)
                yield Guess(f"{guess.name}, {layer}", "layer", matrix, guess.cost_frac)


def describe_untaken(missing: tuple[Measure, ...]) -> Iterator[str]:
    """Yield what was not judged, and the command that would have it judged."""
    names = [measure.name for measure in missing if not measure.command]
    if names:
        yield f"not taken, so not judged: relevance measure {' '.join(names)}"
