"""Scores of several systems on the same tasks (paper, Table 1), and their differences."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from analysis.gains.paired import AVERAGE, AVERAGES, LARGE_AVERAGE
from relevance.measures.registry import MEASURES
from relevance.systems.comparison_format import MULTI, REFERENCE_SYSTEMS, SINGLE, SKILLNET

_LABELS = {
    SINGLE: "Single-task",
    MULTI: "Multi-task",
    SKILLNET: "SkillNet-style",
}
_ORDER = [*_LABELS, *(f"hmnet-{measure.measure}" for measure in MEASURES.values())]


Standing = Literal["below", "perhaps below", "level", "above"]
LEAST_DIFFERENCE = 0.0005
"""A system may be behind another from this difference on, half of what a table prints."""


@dataclass(frozen=True)
class Score:
    """A system's score on a task: mean over seeds.

    Attributes:
        value: mean score, a fraction.
        low, high: 95 % interval; NaN where there is none.
        spread: standard deviation over seeds; NaN with one seed.
        seeds: number of seeds.
    """

    value: float
    low: float
    high: float
    spread: float
    seeds: int


@dataclass(frozen=True)
class Difference:
    """How far one system is above another.

    Attributes:
        value: mean difference, a fraction.
        low, high: its 95 % interval; NaN where it is not known.
        wins: shared seeds in which the first system is ahead.
        seeds: shared seeds.
        holds_examples: whether the interval covers the choice of dev examples too (a paired
            bootstrap), not the seeds alone (Student's t of three or more).
    """

    value: float
    low: float
    high: float
    wins: int
    seeds: int
    holds_examples: bool = False

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out, and has the noise of seeds in it."""
        return self.seeds > 1 and (self.low > 0 or self.high < 0)

    @property
    def verdict(self) -> Standing:
        """Where zero lies: `below` and `above` have the whole 95 % interval on that side."""
        if self.high < 0 or self.low > 0:
            return "below" if self.high < 0 else "above"
        return "perhaps below" if self.value < -LEAST_DIFFERENCE else "level"


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Systems as columns, tasks as rows.

    Attributes:
        systems: names of the systems: baselines first, then HMNet with each grouping.
        tasks: names of the tasks, without the average.
        rows: the long table (`relevance.systems.comparison_format`), the average included.
        errors: the tasks whose scores are the negatives of errors. Their differences are shares of
            the single-task error, where there is one, so that they stand beside points.
    """

    systems: tuple[str, ...]
    tasks: tuple[str, ...]
    rows: pd.DataFrame
    errors: frozenset[str] = frozenset()

    @functools.cached_property
    def _scores(self) -> dict[tuple[str, str], Score]:
        groups = self.rows.groupby(["system", "task"], sort=False)
        return {(str(system), str(task)): _average(rows) for (system, task), rows in groups}

    def score(self, system: str, task: str) -> Score | None:
        """Return a system's score on a task, or on the average of tasks."""
        return self._scores.get((system, task))

    @functools.cached_property
    def _by_seed(self) -> dict[tuple[str, str], dict[float, float]]:
        """Each system's scores on each task by seed."""
        found: dict[tuple[str, str], dict[float, float]] = {}
        seeded = self.rows.dropna(subset="seed")
        columns = (seeded[name].tolist() for name in ("system", "task", "seed", "score"))
        for system, task, seed, score in zip(*columns, strict=True):
            found.setdefault((system, task), {})[seed] = score
        return found

    def best(self, task: str) -> float:
        """Return the highest score on a task, as it would be printed."""
        scores = [self.score(system, task) for system in self.systems]
        return max((round(score.value, 3) for score in scores if score), default=math.nan)

    def unit(self, task: str) -> float:
        """Return what differences on a task are shares of: 1, or its single-task error."""
        single = self.score(SINGLE, task) if task in self.errors else None
        return abs(single.value) or 1.0 if single is not None else 1.0

    def hierarchical(self) -> list[str]:
        """Return the HMNet systems, the best average first."""
        found = [system for system in self.systems if system.startswith("hmnet")]
        return sorted(found, key=lambda system: (-self._average(system), system))

    def _average(self, system: str) -> float:
        score = self.score(system, AVERAGE)
        return score.value if score else -math.inf

    def difference(self, system: str, other: str, task: str = AVERAGE) -> Difference | None:
        """Return how far `system` is above `other` on a task, paired by seed where possible."""
        one, two = self.score(system, task), self.score(other, task)
        if one is None or two is None:
            return None
        unit = self.unit(task)
        paired = self._paired(system, other, task) / unit
        wins, seeds = int((paired > 0).sum()), len(paired)
        if (stated := self._stated.get((system, other, task))) is not None:
            scaled = [number / unit for number in stated]
            return Difference(scaled[0], scaled[1], scaled[2], wins, seeds, holds_examples=True)
        value = float(paired.mean()) if seeds else (one.value - two.value) / unit
        return Difference(value, *_seed_interval(paired), wins, seeds)

    @functools.cached_property
    def _stated(self) -> dict[tuple[str, str, str], tuple[float, float, float]]:
        """Differences and intervals of a paired bootstrap by system, other system and task."""
        found = {}
        for start, other in REFERENCE_SYSTEMS.items():
            names = [f"{start}{end}" for end in ("", "_low", "_high")]
            if set(names) <= set(self.rows.columns):
                known = self.rows.dropna(subset=names).drop_duplicates(["system", "task"])
                columns = (known[name].tolist() for name in ("system", "task", *names))
                for system, task, *numbers in zip(*columns, strict=True):
                    found[system, other, task] = (numbers[0], numbers[1], numbers[2])
        return found

    def _paired(self, system: str, other: str, task: str) -> npt.NDArray[np.float64]:
        """Return the difference of each seed that both systems have."""
        own, others = (self._by_seed.get((name, task), {}) for name in (system, other))
        shared = [score - others[seed] for seed, score in own.items() if seed in others]
        return np.array(shared, dtype=np.float64)

    @property
    def has_large(self) -> bool:
        """Whether there is an average over large tasks alone."""
        return LARGE_AVERAGE in set(self.rows["task"])

    def record(self, system: str, other: str) -> tuple[int, int, int] | None:
        """Return how many tasks a system wins, loses and draws against another, beyond noise.

        None without intervals that hold dev examples.
        """
        found = [self.difference(system, other, task) for task in self.tasks]
        known = [each for each in found if each is not None and each.holds_examples]
        wins, losses = sum(each.low > 0 for each in known), sum(each.high < 0 for each in known)
        return (wins, losses, len(known) - wins - losses) if known else None

    def count(self, system: str, column: str) -> float:
        """Return parameters, steps or seconds of a system, the mean over seeds; NaN if unknown."""
        known = self.rows.loc[self.rows["system"] == system, column].dropna()
        return float(known.mean()) if len(known) else math.nan


def _average(rows: pd.DataFrame) -> Score:
    """Average over seeds; a row without a seed stands for all of them."""
    whole, seeded = rows[rows["seed"].isna()], rows[rows["seed"].notna()]
    shown = whole if len(whole) else seeded
    means = shown[["score", "ci_low", "ci_high"]].mean()
    spread = float(seeded["score"].std(ddof=1)) if len(seeded) > 1 else math.nan
    value, low, high = (float(mean) for mean in means)
    return Score(value, low, high, spread, len(seeded))


def _seed_interval(differences: npt.NDArray[np.float64]) -> tuple[float, float]:
    if len(differences) < 3:
        return math.nan, math.nan
    half = stats.t.ppf(0.975, len(differences) - 1) * differences.std(ddof=1)
    half /= math.sqrt(len(differences))
    return float(differences.mean() - half), float(differences.mean() + half)


def arrange_scores(frame: pd.DataFrame, errors: Collection[str] = ()) -> ScoreTable:
    """Order the systems and tasks of a comparison; add the average over tasks if it is missing.

    A system's average is left out where it lacks a task that another system has. Errors are no part
    of it (`hmnet.study.metrics.list_averaged`).

    Args:
        errors: tasks whose scores are the negatives of errors.
    """
    tasks = tuple(task for task in dict.fromkeys(frame["task"]) if task not in AVERAGES)
    if AVERAGE not in set(frame["task"]):
        counted = [task for task in tasks if task not in errors] or list(tasks)
        average = _average_rows(frame[frame["task"].isin(counted)], len(counted))
        frame = pd.concat([frame, average], ignore_index=True)
    return ScoreTable(_order_systems(frame), tasks, frame, frozenset(errors))


def _average_rows(frame: pd.DataFrame, tasks: int) -> pd.DataFrame:
    groups = frame.groupby(["system", "seed"], sort=False, dropna=False)["score"]
    rows = groups.mean()[groups.count() == tasks].reset_index()
    return rows.assign(task=AVERAGE).reindex(columns=frame.columns)


def _order_systems(frame: pd.DataFrame) -> tuple[str, ...]:
    names = list(dict.fromkeys(frame["system"]))
    known = [name for name in _ORDER if name in names]
    return (*known, *(name for name in names if name not in known))


def label_system(system: str) -> str:
    """Return what to call a system: `hmnet-manual-ffn` is `HMNet (manual groups, ffn)`."""
    if not system.startswith("hmnet-"):
        return _LABELS.get(system, system)
    grouping, is_partial = system.removeprefix("hmnet-"), system.endswith("-ffn")
    return f"HMNet ({grouping.removesuffix('-ffn')} groups{', ffn' if is_partial else ''})"
