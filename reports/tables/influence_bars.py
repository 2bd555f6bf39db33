"""Bars for one task (paper, Figure 2): what the others do to it, and what it does to them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from relevance.matrices.gain_table import Gain, GainTable
from reports.style.formatting import format_interval, format_percent


@dataclass(frozen=True)
class Bar:
    """A gain as a bar on a track that is 100 wide.

    Attributes:
        name: the other task.
        value, interval: what is printed.
        left, width: the bar's place.
        from_, span: the interval's place; `span` is 0 where there is none.
        tone: `help` or `hurt`.
        verdict: `sure`, `unsure`, `untested` or `void`.
    """

    name: str
    value: str
    interval: str
    left: float
    width: float
    from_: float
    span: float
    tone: str
    verdict: str


@dataclass(frozen=True)
class Influence:
    """Both charts of a task.

    Attributes:
        task: the task.
        zero: where zero lies on the tracks.
        received: what the other tasks do to it.
        given: what it does to the other tasks.
    """

    task: str
    zero: float
    received: tuple[Bar, ...]
    given: tuple[Bar, ...]


MOST_REACH = 1.6
"""How far the scale of a chart follows intervals, in lengths of its longest bar."""

_VERDICTS = {
    "beyond noise": "sure",
    "within noise": "unsure",
    "not tested": "untested",
    "no baseline": "void",
}


def build_influences(table: GainTable, tasks: Sequence[str]) -> list[Influence]:
    """Return the charts of every task, in the order given; a task's charts share one scale."""
    return [_build(task, table) for task in tasks]


def _build(task: str, table: GainTable) -> Influence:
    received = [gain for gain in table.gains if gain.target == task]
    given = [gain for gain in table.gains if gain.source == task]
    low, high = _range(received + given)
    return Influence(
        task,
        _place(0.0, low, high),
        tuple(_bar(gain, gain.source, low, high) for gain in _sort(received)),
        tuple(_bar(gain, gain.target, low, high) for gain in _sort(given)),
    )


def _sort(gains: Iterable[Gain]) -> list[Gain]:
    return sorted(gains, key=lambda gain: (-gain.value, gain.source, gain.target))


def _range(gains: Sequence[Gain]) -> tuple[float, float]:
    """Return the ends of a scale that holds zero, every bar, and intervals of usual length.

    One immense interval would press every bar against zero; it is cut at the frame.
    """
    reach = MOST_REACH * max((abs(gain.value) for gain in gains), default=0.0)
    ends = [0.0]
    for gain in gains:
        sides = [end for end in (gain.low, gain.high) if math.isfinite(end)]
        ends += [gain.value, *(min(max(end, -reach), reach) for end in sides)]
    low, high = min(ends), max(ends)
    return (low, high) if high > low else (-1.0, 1.0)


def _place(value: float, low: float, high: float) -> float:
    return round(100 * (min(max(value, low), high) - low) / (high - low), 2)


def _bar(gain: Gain, name: str, low: float, high: float) -> Bar:
    ends = sorted((_place(0.0, low, high), _place(gain.value, low, high)))
    interval = format_interval(gain.low, gain.high)
    from_, to = 0.0, 0.0
    if interval:
        from_, to = _place(gain.low, low, high), _place(gain.high, low, high)
    return Bar(
        name=name,
        value=format_percent(gain.value, signed=True),
        interval=interval,
        left=ends[0],
        width=round(ends[1] - ends[0], 2),
        from_=from_,
        span=round(to - from_, 2),
        tone="help" if gain.value > 0 else "hurt",
        verdict=_VERDICTS[gain.verdict],
    )


def choose_focus(table: GainTable) -> str | None:
    """Return the task to show first: the one that loses most in the pair that hurts most."""
    pairs = table.sound_pairs or table.pairs
    return pairs[0].one.target if pairs else next((g.target for g in table.gains), None)
