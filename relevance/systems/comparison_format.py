"""The table of systems compared: its names and columns (`relevance.systems.systems` writes it)."""

from __future__ import annotations

from collections.abc import Mapping

from hmnet.storage.table_format import TableFormat

SINGLE, MULTI, SKILLNET = "single-task", "multi-task", "skillnet"
"""The systems that need no groups; the others are `hmnet-<grouping>`."""
REFERENCE_SYSTEMS: Mapping[str, str] = {"vs_single": SINGLE, "vs_multi": MULTI}
"""Start of a column's name to the system that differences are taken to."""

COMPARISON = TableFormat(
    "comparison/1",
    {
        "system": str,
        "task": str,
        "seed": float,
        "score": float,
        "ci_low": float,
        "ci_high": float,
        "params_activated": float,
        "params_overall": float,
    },
)
"""A row per system, task and seed; where there are intervals, one without a seed for the mean.

Newer tables also have `COSTS`, the differences of `REFERENCE_SYSTEMS` with their intervals and,
where tasks were resampled, the averages' intervals over tasks (`_tasks_low`, `_tasks_high`).
"""
LEAST_DEV_ROWS = 250
"""Dev rows of a task that counts as large (`analysis.gains.paired.LARGE_AVERAGE`)."""
COSTS = ("steps", "seconds", "steps_beside", "seconds_beside")
"""Columns of what a system took to train with one seed (`relevance.systems.training_cost`)."""
