"""Gains of a matrix as rows that can be sorted, compared and put into words."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal
from weakref import WeakKeyDictionary

import pandas as pd

from analysis.levels import SIGNIFICANCE
from relevance.matrices.matrix import RelevanceMatrix

Verdict = Literal["beyond noise", "within noise", "not tested", "no baseline"]
"""`no baseline`: alone, the target learned nothing, so there was nothing to gain on."""


@dataclass(frozen=True)
class Gain:
    """What training with `source` does to `target`.

    Attributes:
        value: relative gain (equation 4), a fraction.
        low, high: its 95 % interval; NaN where there is none.
        q: the Benjamini-Hochberg adjusted p-value; NaN where there is none.
        runs: joint runs behind it.
        dev: dev examples of the target.
        undefined: whether the target's single runs are no better than a constant answer.
    """

    source: str
    target: str
    value: float
    low: float
    high: float
    q: float
    runs: float
    dev: float
    undefined: bool = False

    @property
    def verdict(self) -> Verdict:
        """Whether the gain differs from zero by more than noise explains."""
        if self.undefined:
            return "no baseline"
        if math.isnan(self.q) or math.isnan(self.value):
            return "not tested"
        return "beyond noise" if self.q < SIGNIFICANCE else "within noise"


@dataclass(frozen=True)
class PairGains:
    """Two tasks, and what each does to the other.

    Attributes:
        one: the gain of the task that loses more (or gains less).
        other: the gain of its partner.
    """

    one: Gain
    other: Gain

    @property
    def mean(self) -> float:
        """Mean of both gains."""
        return (self.one.value + self.other.value) / 2

    @property
    def tasks(self) -> tuple[str, str]:
        """The task that loses more, then its partner."""
        return self.one.target, self.other.target

    @property
    def verdict(self) -> str:
        """Which of the two gains are beyond noise, in words."""
        verdicts = (self.one.verdict, self.other.verdict)
        for verdict in ("no baseline", "not tested"):
            if verdict in verdicts:
                return verdict
        if verdicts[0] == verdicts[1]:
            return "both beyond noise" if verdicts[0] == "beyond noise" else "within noise"
        return "one beyond noise"


@dataclass(frozen=True, eq=False)
class GainTable:
    """Every off-diagonal cell of a matrix of gains, in the order of its table.

    Attributes:
        gains: cells that have a value.
        missing: number of cells that have none.
    """

    gains: tuple[Gain, ...]
    missing: int
    cells: Mapping[tuple[str, str], Gain] = field(repr=False)

    @functools.cached_property
    def is_tested(self) -> bool:
        """Whether any cell says how likely noise would explain it."""
        return any(gain.verdict in ("beyond noise", "within noise") for gain in self.gains)

    @functools.cached_property
    def sound(self) -> tuple[Gain, ...]:
        """The gains of targets that learned something alone."""
        return tuple(gain for gain in self.gains if not gain.undefined)

    @functools.cached_property
    def unlearned(self) -> list[str]:
        """The targets that learned nothing alone, so that gains over it say nothing."""
        return list(dict.fromkeys(gain.target for gain in self.gains if gain.undefined))

    @property
    def least_runs(self) -> int | None:
        """The fewest joint runs behind a cell that has a value, if known."""
        known = [gain.runs for gain in self.gains if not math.isnan(gain.runs)]
        return int(min(known)) if known else None

    @functools.cached_property
    def limit(self) -> float:
        """The largest absolute gain that says something, the end of the colour scale."""
        return max((abs(gain.value) for gain in self.sound or self.gains), default=0.0)

    @functools.cached_property
    def pairs(self) -> list[PairGains]:
        """Every pair that has both gains, the one that loses most on average first."""
        tasks = dict.fromkeys(task for pair in self.cells for task in pair)
        found = []
        for a, b in combinations(tasks, 2):
            both = [g for g in (self.cells[a, b], self.cells[b, a]) if not math.isnan(g.value)]
            if len(both) == 2:
                found.append(PairGains(*sorted(both, key=lambda gain: gain.value)))
        return sorted(found, key=lambda pair: (pair.mean, pair.tasks))

    @property
    def sound_pairs(self) -> list[PairGains]:
        """The pairs of which both tasks learned something alone."""
        return [pair for pair in self.pairs if pair.verdict != "no baseline"]

    def strongest(self, sign: int, verdict: Verdict | None = None) -> list[Gain]:
        """Return the gains (`sign` 1) or losses (-1) that say something, the strongest first.

        Args:
            verdict: only those with this verdict.
        """
        kept = [g for g in self.sound if g.value * sign > 0 and verdict in (None, g.verdict)]
        return sorted(kept, key=lambda g: (-abs(g.value), g.source, g.target))


def tabulate_gains(matrix: RelevanceMatrix) -> GainTable:
    """Return the off-diagonal cells of a matrix of gains.

    A matrix is not changed once it is made, so that its table is made once too.
    """
    if matrix not in _TABLES:
        _TABLES[matrix] = _tabulate(matrix)
    return _TABLES[matrix]


_TABLES: WeakKeyDictionary[RelevanceMatrix, GainTable] = WeakKeyDictionary()


def _tabulate(matrix: RelevanceMatrix) -> GainTable:
    cells = {
        (str(row.source), str(row.target)): _to_gain(row)
        for row in matrix.table.itertuples(index=False)
        if str(row.source) != str(row.target)
    }
    known = tuple(gain for gain in cells.values() if not math.isnan(gain.value))
    return GainTable(known, len(cells) - len(known), cells)


def holds_gains(matrix: RelevanceMatrix) -> bool:
    """Tell whether a matrix holds gains around zero, in place of shares from 0 to 1.

    A measure says it in the provenance; of a matrix of the user's, values below zero do.
    """
    if (held := matrix.provenance.get("holds")) is not None:
        return bool(held == "gains")
    return matrix.measure == "pairwise" or bool((matrix.table["value"] < 0).any())


def _to_gain(row: object) -> Gain:
    """Read a row of the long table."""
    names = ("value", "ci_low", "ci_high", "q_value", "n_seeds", "n_dev")
    value, low, high, q, runs, dev = (_to_float(getattr(row, name)) for name in names)
    return Gain(
        source=str(getattr(row, "source", "")),
        target=str(getattr(row, "target", "")),
        value=value,
        low=low,
        high=high,
        q=q,
        runs=runs,
        dev=dev,
        undefined=bool(getattr(row, "undefined", False)),
    )


def _to_float(value: object) -> float:
    return float("nan") if pd.isna(value) else float(value)  # type: ignore[arg-type,call-overload]
