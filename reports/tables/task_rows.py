"""The tasks' data as rows of a table (paper, Table 4)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports.style.formatting import MISSING, format_number, format_percent


@dataclass(frozen=True)
class TaskRow:
    """A split of a task.

    Attributes:
        category: the task's group by hand.
        labels: number of labels; `a number` for a regression.
        numbers: values to sort by, with their texts: rows, median and 95th percentile of tokens,
            share of rows that are truncated.
        metrics: the primary one first.
    """

    task: str
    category: str
    split: str
    labels: str
    numbers: tuple[tuple[float, str], ...]
    metrics: str


def list_tasks(tasks: pd.DataFrame | None) -> list[TaskRow]:
    """Return the table that `relevance tasks` leaves as rows, in its order; none without it."""
    return [] if tasks is None else [_build_row(row) for row in tasks.to_dict("records")]


def _build_row(row: Mapping[Hashable, Any]) -> TaskRow:
    counts = ("rows", "median_tokens", "p95_tokens")
    truncated = row["truncated_frac"]
    return TaskRow(
        task=str(row["task"]),
        category=_name(row["category"]),
        split=_name(row["split"]),
        labels="a number" if row["labels"] == 1 else format_number(row["labels"], 0),
        numbers=(
            *((row[name], format_number(row[name], 0)) for name in counts),
            (truncated, format_percent(truncated, 2)),
        ),
        metrics=_name(row["metrics"]).replace("/", ", "),
    )


def _name(value: str | float | None) -> str:
    return MISSING if value == "" or pd.isna(value) else str(value)
