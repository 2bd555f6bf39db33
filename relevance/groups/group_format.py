"""The tables beside groups.json (`relevance.groups.at_hand` and `.grouping` write them)."""

from __future__ import annotations

from hmnet.storage.table_format import TableFormat

CLUSTERS = TableFormat(
    "clusters/1",
    {"task": str, "group": str, "silhouette": float, "from_group": float, "from_others": float},
)
"""A row per task: how it lies in its group."""

LAYER_AGREEMENT = TableFormat(
    "layer-agreement/1",
    {"layer": float, "task": str, "other": str, "agreement": float, "low": float, "high": float},
)
"""A row per layer, from 1, and pair of tasks: the cosine of their mean gradients."""

STABILITY = TableFormat("stability/1", {"task": str, "other": str, "together": float})
"""A row per ordered pair: the share of bootstrap draws that put both into one group."""
