"""Sweeps over the hierarchy (paper, Figures 3 and 4), as `hmnet sweep` leaves them."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from relevance.systems.comparison_format import MULTI
from relevance.systems.sweep_format import COMBINATION_SWEEP, LAYER_SWEEP
from reports.inputs.checked_tables import read_columns, read_with_origin


@dataclass(frozen=True, eq=False)
class LayerSweep:
    """Tasks trained together with {x,0,L-x} for several x.

    Attributes:
        rows: columns `task`, `shared`, `seed`, `score`, with a row per run and task.
        errors: the tasks whose scores are the negatives of errors.
    """

    rows: pd.DataFrame
    errors: frozenset[str] = frozenset()

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks."""
        return tuple(dict.fromkeys(self.rows["task"]))

    @property
    def average(self) -> pd.DataFrame:
        """The mean over tasks of each run, without errors: columns `shared`, `seed`, `score`."""
        counted = self.rows[~self.rows["task"].isin(self.errors)]
        counted = counted if len(counted) else self.rows
        return counted.groupby(["shared", "seed"])["score"].mean().reset_index()

    def show(self, task: str) -> pd.DataFrame:
        """Return a task's rows with what is shown: percent, or the error itself."""
        rows = self.rows[self.rows["task"] == task]
        return rows.assign(score=rows["score"] * (-1 if task in self.errors else 100))


@dataclass(frozen=True, eq=False)
class CombinationSweep:
    """The same tasks with several {x,y,z} and groupings.

    Attributes:
        table: columns `hierarchy`, `shared`, `grouping`, `seed`, `score` (average over tasks).
        tasks: names of the tasks.
    """

    table: pd.DataFrame
    tasks: tuple[str, ...]

    @functools.cached_property
    def rows(self) -> pd.DataFrame:
        """The table without multi-task training."""
        return self.table[self.table["grouping"] != MULTI]

    @property
    def hierarchies(self) -> tuple[str, ...]:
        """Every {x,y,z}, those that share few layers first."""
        return tuple(dict.fromkeys(self.rows.sort_values(["shared", "hierarchy"])["hierarchy"]))

    @property
    def multi_task(self) -> float:
        """Mean over seeds of the score with every layer shared; NaN where there is no run."""
        scores = self.table.loc[self.table["grouping"] == MULTI, "score"]
        return float(scores.mean()) if len(scores) else math.nan


def read_layers(path: Path, errors: frozenset[str] = frozenset()) -> LayerSweep:
    """Read `sweep-layers.parquet`.

    Args:
        errors: see `LayerSweep`.

    Raises:
        InputError: if it is no such table.
    """
    return LayerSweep(read_columns(path, LAYER_SWEEP), errors)


def read_combinations(path: Path) -> CombinationSweep:
    """Read `sweep-combinations.parquet`.

    Raises:
        InputError: if it is no such table.
    """
    table, origin = read_with_origin(path, COMBINATION_SWEEP)
    tasks = origin.get("tasks")
    return CombinationSweep(table, tuple(map(str, tasks)) if isinstance(tasks, list) else ())
