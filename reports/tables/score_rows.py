"""The comparison of systems as rows of a table (paper, Table 1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from analysis.gains.paired import AVERAGE, LARGE_AVERAGE
from relevance.systems.comparison_format import LEAST_DEV_ROWS, MULTI, SINGLE
from reports.inputs.score_table import (
    Difference,
    Score,
    ScoreTable,
    Standing,
    label_system,
)
from reports.style.formatting import (
    MISSING,
    PERCENT,
    count_noun,
    format_duration,
    format_interval,
    format_number,
    format_parameters,
    format_score,
)

_MARKS: dict[Standing, str] = {"below": "below", "perhaps below": "below faint"}
"""Classes of a cell by how its difference to single-task training lies."""


@dataclass(frozen=True)
class ScoreCell:
    """A score in the table.

    Attributes:
        text: the score in percent, or the error in its own unit.
        details: value, interval, seeds and differences, a line each.
        value: the number to sort by.
        classes: `best` for the row's highest, as printed; `below` for negative transfer, the whole
            interval of the difference to single-task training below zero; `below faint` where only
            the difference itself is.
    """

    text: str
    details: str
    value: float
    classes: str


@dataclass(frozen=True)
class ScoreRow:
    """A task, or the average of all, with a cell per system."""

    task: str
    cells: tuple[ScoreCell, ...]


@dataclass(frozen=True)
class DifferenceRows:
    """Differences to a system in points, with their intervals.

    Attributes:
        other: the system that they are taken to.
        systems: columns.
        rows: a task, or the average, with a text per system.
    """

    other: str
    systems: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class ScoreRows:
    """The table: columns, task rows, averages, the rows below, and the differences behind it.

    Attributes:
        averages: that of all tasks first; that of large tasks where not all are.
        below: title and a text per system: records against others, and what a system took.
    """

    systems: tuple[str, ...]
    rows: tuple[ScoreRow, ...]
    averages: tuple[ScoreRow, ...]
    below: tuple[tuple[str, tuple[str, ...]], ...]
    differences: tuple[DifferenceRows, ...]

    @property
    def note(self) -> str:
        """What the rows below the tasks stand for, where there are more than one average."""
        large = f"Large tasks have at least {LEAST_DEV_ROWS} dev rows. "
        costs = (
            "Steps and time are of one seed on one worker; beside a system's own are those of its "
            "teachers, and of numbers of epochs that were tried."
        )
        is_costed = any(title == "Steps" for title, _ in self.below)
        return (large if len(self.averages) > 1 else "") + (costs if is_costed else "")


def build_scores(scores: ScoreTable) -> ScoreRows:
    """Return the comparison as rows of a table."""
    return ScoreRows(
        tuple(label_system(system) for system in scores.systems),
        tuple(_build_row(scores, task) for task in scores.tasks),
        tuple(
            replace(_build_row(scores, task), task=title) for title, task in _list_averages(scores)
        ),
        (*_list_records(scores), *_list_costs(scores)),
        tuple(_build_differences(scores, o) for o in (MULTI, SINGLE) if o in scores.systems),
    )


def _list_averages(scores: ScoreTable) -> list[tuple[str, str]]:
    """Return the averages that a table holds, with their titles."""
    large = [("Average, large tasks", LARGE_AVERAGE)] if scores.has_large else []
    return [("Average", AVERAGE), *large]


def _list_records(scores: ScoreTable) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield how many tasks each system wins, loses and draws, beyond noise."""
    for other in (MULTI, SINGLE):
        records = [scores.record(system, other) for system in scores.systems]
        if any(records):
            title = f"Won, lost, drawn against {label_system(other).lower()}"
            yield title, tuple(", ".join(map(str, r)) if r else "" for r in records)


_COSTS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "Parameters activated": ("params_activated", format_parameters),
    "Parameters overall": ("params_overall", format_parameters),
    "Steps": ("steps", lambda steps: format_number(steps, 0)),
    "Steps beside": ("steps_beside", lambda steps: format_number(steps, 0)),
    "Training time": ("seconds", format_duration),
    "Time beside": ("seconds_beside", format_duration),
}


def _list_costs(scores: ScoreTable) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what each system took with one seed, as far as a table says it."""
    for title, (column, show) in _COSTS.items():
        if column in scores.rows.columns:
            values = [scores.count(system, column) for system in scores.systems]
            yield title, tuple(MISSING if math.isnan(value) else show(value) for value in values)


def _build_differences(scores: ScoreTable, other: str) -> DifferenceRows:
    shown = [system for system in scores.systems if system != other]
    rows = (
        (name, tuple(_show_difference(scores.difference(s, other, task)) for s in shown))
        for name, task in (*((task, task) for task in scores.tasks), *_list_averages(scores))
    )
    labels = tuple(label_system(system) for system in shown)
    return DifferenceRows(label_system(other).lower(), labels, tuple(rows))


def _show_difference(found: Difference | None) -> str:
    """Return `+1.2 (+0.3 to +2.1)`, in points."""
    if found is None:
        return MISSING
    value, low, high = (
        format_number(100 * number, signed=True) for number in (found.value, found.low, found.high)
    )
    return value if math.isnan(found.low) else f"{value} ({low} to {high})"


def _build_row(scores: ScoreTable, task: str) -> ScoreRow:
    best = scores.best(task)
    cells = [_build_cell(scores, system, task, best) for system in scores.systems]
    return ScoreRow(task, tuple(cells))


def _build_cell(scores: ScoreTable, system: str, task: str, best: float) -> ScoreCell:
    score = scores.score(system, task)
    if score is None:
        details = f"{label_system(system)} on {task}: no score"
        return ScoreCell(MISSING, details, -math.inf, "")
    against = {other: scores.difference(system, other, task) for other in (SINGLE, MULTI)}
    is_error = task in scores.errors
    shown = format_score(score.value, 2, is_error=is_error, unit=PERCENT)
    lines = [
        f"{label_system(system)} on {task}: {shown}",
        *_tell_interval(score, is_error=is_error),
    ]
    lines.append(_tell_seeds(score, is_error=is_error))
    for other, found in against.items():
        if other != system and found is not None:
            lines += [_tell_difference(found, other), *_tell_transfer(found, other)]
    single = against[SINGLE]
    mark = _MARKS.get(single.verdict, "") if single is not None and system != SINGLE else ""
    classes = ("best" if round(score.value, 3) == best else "", mark)
    return ScoreCell(
        format_score(score.value, is_error=is_error),
        "\n".join(line for line in lines if line),
        score.value,
        " ".join(name for name in classes if name),
    )


def _tell_interval(score: Score, *, is_error: bool) -> Iterator[str]:
    if is_error and not math.isnan(score.low):
        low, high = (format_score(end, is_error=True) for end in (score.high, score.low))
        yield f"95 % interval {low} to {high}; lower is better"
    elif interval := format_interval(score.low, score.high, 2):
        yield f"95 % interval {interval.replace('+', '')}"


def _tell_difference(found: Difference, other: str) -> str:
    above = format_number(100 * found.value, 2, signed=True)
    text = f"{above} points against {label_system(other).lower()} training"
    if math.isnan(found.low):
        return text
    low, high = (format_number(100 * end, 2, signed=True) for end in (found.low, found.high))
    return f"{text}, 95 % interval {low} to {high}"


def _tell_transfer(found: Difference, other: str) -> Iterator[str]:
    if other == SINGLE and found.verdict == "below":
        yield "negative transfer: the whole interval is below single-task training"


def _tell_seeds(score: Score, *, is_error: bool) -> str:
    if not score.seeds:
        return ""
    seeds = count_noun(score.seeds, "seed")
    if math.isnan(score.spread):
        return seeds
    if is_error:
        return f"{seeds}, standard deviation {format_score(-score.spread, is_error=True)}"
    return f"{seeds}, standard deviation {format_number(100 * score.spread, 2)} points"
