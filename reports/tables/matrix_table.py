"""A relevance matrix as an HTML table: cells coloured by value, each with its details.

The details (value, interval, test, runs, dev examples) are the cell's label: a screen reader speaks
it, and the page shows it on hover and on keyboard focus.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hmnet.study.hierarchy import Groups
from relevance.matrices.gain_table import Gain, GainTable, holds_gains, tabulate_gains
from relevance.matrices.matrix import RelevanceMatrix
from reports.style.formatting import (
    MISSING,
    count_noun,
    format_interval,
    format_percent,
    format_probability,
)
from reports.style.palette import SEQUENTIAL_STEPS, SIDE_STEPS, bin_gain, bin_share
from reports.tables.task_order import TaskOrder, order_tasks

MOST_NUMBERED = 20
"""More tasks than this make a dense table: colours without numbers, which hover and focus give."""


@dataclass(frozen=True)
class HeatCell:
    """A cell: what is printed, its classes, and its details (lines of text)."""

    text: str
    classes: str
    details: str


@dataclass(frozen=True)
class HeatSide:
    """A task as a row or a column.

    Attributes:
        name: the task.
        place: its position in the matrix, the paper's layout.
        section: number of its group.
        closes: whether it is the last of its group.
    """

    name: str
    place: int
    section: int
    closes: bool


@dataclass(frozen=True)
class LegendStep:
    """A step of the colour scale: its class, its label (mostly empty) and where that stands."""

    classes: str
    label: str
    place: float


@dataclass(frozen=True)
class HeatTable:
    """A matrix ready for the page: `rows[i]` belongs to the task `sides[i]`."""

    sides: tuple[HeatSide, ...]
    rows: tuple[tuple[HeatCell, ...], ...]
    legend: tuple[LegendStep, ...]
    is_tested: bool
    has_voids: bool
    is_grouped: bool
    is_dense: bool


def build_heat(
    matrix: RelevanceMatrix, groups: Groups | None, gains: GainTable | None = None
) -> HeatTable:
    """Return a matrix as a table, group by group where there are groups.

    Args:
        gains: the matrix's, where they are at hand; else they are tabulated here.
    """
    order = order_tasks(matrix.tasks, groups)
    if holds_gains(matrix):
        table = gains or tabulate_gains(matrix)
        cells = {pair: _gain_cell(gain, table.limit) for pair, gain in table.cells.items()}
        legend, is_tested, has_voids = _gain_legend(table), table.is_tested, bool(table.unlearned)
    else:
        cells = _share_cells(matrix)
        legend, is_tested, has_voids = _share_legend(), False, False
    rows = tuple(
        tuple(cells.get((source, target), _OWN) for target in order.tasks) for source in order.tasks
    )
    return HeatTable(
        _list_sides(order, matrix),
        rows,
        legend,
        is_tested,
        has_voids,
        is_grouped=len(order.labels) > 1,
        is_dense=len(order.tasks) > MOST_NUMBERED,
    )


_OWN = HeatCell("", "own", "The task itself: no gain to measure.")


def _list_sides(order: TaskOrder, matrix: RelevanceMatrix) -> tuple[HeatSide, ...]:
    places = {task: i for i, task in enumerate(matrix.tasks)}
    closing = {i - 1 for i in order.boundaries}
    return tuple(
        HeatSide(task, places[task], order.sections[i], i in closing)
        for i, task in enumerate(order.tasks)
    )


def _gain_cell(gain: Gain, limit: float) -> HeatCell:
    details = "\n".join(tell_gain(gain))
    if math.isnan(gain.value):
        return HeatCell(MISSING, "none", details)
    step = f"g{bin_gain(gain.value, limit) + SIDE_STEPS}"
    classes = {"beyond noise": f"{step} sure", "within noise": f"{step} unsure"}
    classes |= {"not tested": step, "no baseline": "void"}
    text = format_percent(gain.value, signed=True, unit="")
    return HeatCell(text, classes[gain.verdict], details)


def tell_gain(gain: Gain) -> list[str]:
    """Return the details of a gain, a line each: value, interval, test, runs and dev examples."""
    if math.isnan(gain.value):
        return [f"{gain.target} trained with {gain.source}: no result yet"]
    value = format_percent(gain.value, 2, signed=True)
    lines = [f"{gain.target} trained with {gain.source}: {value}"]
    interval = format_interval(gain.low, gain.high, 2)
    lines += [f"95 % interval {interval}"] if interval else ["no interval"]
    if not math.isnan(gain.expected) and not gain.undefined:
        expected = format_percent(gain.expected, 2, signed=True)
        lines.append(f"expected, corrected for being chosen among many: {expected}")
    if gain.undefined:
        lines.append(f"says nothing: alone, {gain.target} is no better than a constant answer")
    elif gain.verdict == "not tested":
        lines.append("not tested against noise")
    else:
        lines.append(f"{gain.verdict}, q {format_probability(gain.q)}")
    counts = [] if math.isnan(gain.runs) else [count_noun(gain.runs, "run")]
    counts += [] if math.isnan(gain.dev) else [count_noun(gain.dev, "dev example")]
    return [*lines, ", ".join(counts)] if counts else lines


def _share_cells(matrix: RelevanceMatrix) -> dict[tuple[str, str], HeatCell]:
    return {
        (str(source), str(target)): _share_cell(str(source), str(target), float(value))
        for source, target, value in zip(
            matrix.table["source"],
            matrix.table["target"],
            matrix.table["value"],
            strict=True,
        )
    }


def _share_cell(source: str, target: str, value: float) -> HeatCell:
    if math.isnan(value):
        return HeatCell(MISSING, "none", f"{source} and {target}: no value")
    shown = format_percent(value, 2)
    details = f"Row {source}, column {target}: {shown}"
    return HeatCell(format_percent(value, 2, unit=""), f"s{bin_share(value)}", details)


def _gain_legend(table: GainTable) -> tuple[LegendStep, ...]:
    digits = 0 if table.limit >= 0.2 else 1
    named = {-12: -table.limit, -6: -table.limit / 4, 0: 0.0, 6: table.limit / 4, 12: table.limit}
    labels = {
        step + SIDE_STEPS: format_percent(value, digits, signed=True)
        for step, value in named.items()
    }
    return _legend("g", 2 * SIDE_STEPS + 1, labels)


def _share_legend() -> tuple[LegendStep, ...]:
    last = SEQUENTIAL_STEPS - 1
    return _legend("s", SEQUENTIAL_STEPS, {0: format_percent(0, 0), last: format_percent(1, 0)})


def _legend(prefix: str, size: int, labels: Mapping[int, str]) -> tuple[LegendStep, ...]:
    """Return a scale of `size` steps; the first and last label stand at the ends."""
    return tuple(
        LegendStep(f"{prefix}{i}", labels.get(i, ""), _place_label(i, size)) for i in range(size)
    )


def _place_label(step: int, size: int) -> float:
    if step in (0, size - 1):
        return 0.0 if step == 0 else 100.0
    return round(100 * (step + 0.5) / size, 2)
