"""The tables of attention similarities (`relevance.attention.pair_maps` writes them)."""

from __future__ import annotations

from hmnet.storage.table_format import TableFormat

ATTENTION = TableFormat(
    "attention/1",
    {"task": str, "partner": str, "layer": float, "head": float, "similarity": float},
)
"""A row per task of a pair, layer and head, both from 1; a file per pair."""

ATTENTION_LAYERS = TableFormat(
    "attention-layers/1",
    {
        "layer": float,
        "similarity": float,
        "with_gain": float,
        "with_loss": float,
        "spearman": float,
        "pairs": float,
    },
)
"""A row per layer: how its similarity goes with the pairs' gains."""
