"""The table of what each task's data is (`hmnet.folder.task_table` writes it)."""

from __future__ import annotations

from hmnet.storage.table_format import TableFormat

TASKS = TableFormat(
    "tasks/1",
    {
        "task": str,
        "category": str,
        "split": str,
        "rows": float,
        "labels": float,
        "median_tokens": float,
        "p95_tokens": float,
        "truncated_frac": float,
        "metrics": str,
    },
)
"""A row per task and split; `labels` is 1 for a regression."""
