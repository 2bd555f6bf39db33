"""The comparison of systems as rows of a table (paper, Table 1)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from reports.collect import AVERAGE
from reports.comparison import SINGLE, Difference, Score, ScoreTable, label_system
from reports.formatting import MISSING, format_count, format_interval, format_number, format_percent

BELOW = 0.0005
"""A system counts as behind single-task training from this difference on."""


@dataclass(frozen=True)
class ScoreCell:
    """A score in the table.

    Attributes:
        text: the score in percent.
        story: value, interval and seeds, a line each.
        value: the number to sort by.
        is_best: whether it is the row's highest, as printed.
        is_below: whether it is behind single-task training.
    """

    text: str
    story: str
    value: float
    is_best: bool
    is_below: bool


@dataclass(frozen=True)
class ScoreRow:
    """A task, or the average of all, with a cell per system."""

    task: str
    cells: tuple[ScoreCell, ...]


@dataclass(frozen=True)
class ScoreRows:
    """The table: columns, task rows, and the rows below them."""

    systems: tuple[str, ...]
    rows: tuple[ScoreRow, ...]
    average: ScoreRow
    parameters: tuple[tuple[str, tuple[str, ...]], ...]


def build_scores(scores: ScoreTable) -> ScoreRows:
    """Return the comparison as rows of a table."""
    return ScoreRows(
        tuple(label_system(system) for system in scores.systems),
        tuple(_build_row(scores, task) for task in scores.tasks),
        _build_row(scores, AVERAGE),
        tuple(
            (title, tuple(_format_parameters(scores.parameters(s, column)) for s in scores.systems))
            for title, column in (
                ("Parameters activated", "params_activated"),
                ("Parameters overall", "params_overall"),
            )
        ),
    )


def _build_row(scores: ScoreTable, task: str) -> ScoreRow:
    best = scores.best(task)
    cells = [_build_cell(scores, system, task, best) for system in scores.systems]
    return ScoreRow(task, tuple(cells))


def _build_cell(scores: ScoreTable, system: str, task: str, best: float) -> ScoreCell:
    score = scores.score(system, task)
    if score is None:
        story = f"{label_system(system)} on {task}: no score"
        return ScoreCell(MISSING, story, -math.inf, is_best=False, is_below=False)
    against = scores.difference(system, SINGLE, task) if system != SINGLE else None
    lines = [f"{label_system(system)} on {task}: {format_percent(score.value, 2)}"]
    if interval := format_interval(score.low, score.high, 2):
        lines.append(f"95 % interval {interval.replace('+', '')}")
    lines += [_tell_seeds(score), *_tell_difference(against)]
    return ScoreCell(
        format_percent(score.value, unit=""),
        "\n".join(line for line in lines if line),
        score.value,
        is_best=round(score.value, 3) == best,
        is_below=against is not None and against.value < -BELOW,
    )


def _tell_difference(found: Difference | None) -> Iterator[str]:
    if found is None:
        return
    above = format_number(100 * found.value, 2, signed=True)
    yield f"{above} points against single-task training"
    if not math.isnan(found.low):
        low, high = (format_number(100 * end, 2, signed=True) for end in (found.low, found.high))
        yield f"95 % interval {low} to {high} points"


def _tell_seeds(score: Score) -> str:
    if not score.seeds:
        return ""
    seeds = format_count(score.seeds, "seed")
    if math.isnan(score.spread):
        return seeds
    return f"{seeds}, standard deviation {format_number(100 * score.spread, 2)} points"


def _format_parameters(count: float) -> str:
    """Return `22.7 M`, or `37 k` for a small model."""
    if math.isnan(count):
        return MISSING
    return f"{count / 1e6:,.1f} M" if count >= 999_500 else f"{count / 1e3:,.0f} k"
