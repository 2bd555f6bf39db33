"""The tables beside groups.json (`relevance.groups.at_hand` and `.grouping` write them)."""

from __future__ import annotations

from hmnet.storage.table_format import TableFormat

CLUSTERS = TableFormat(
    "clusters/1",
    {"task": str, "group": str, "silhouette": float, "from_group": float, "from_others": float},
)
"""A row per task: how it lies in its group."""

STABILITY = TableFormat("stability/1", {"task": str, "other": str, "together": float})
"""A row per ordered pair: the share of bootstrap draws that put both into one group."""
