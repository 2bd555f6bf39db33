"""The tables of sweeps over the hierarchy (`relevance.systems.sweeps` writes them)."""

from __future__ import annotations

from hmnet.storage.table_format import TableFormat

LAYER_SWEEP = TableFormat(
    "sweep-layers/1",
    {"task": str, "shared": float, "seed": float, "score": float},
)
"""A row per run and task of {x,0,L-x} (Figure 3)."""

COMBINATION_SWEEP = TableFormat(
    "sweep-combinations/1",
    {"hierarchy": str, "shared": float, "grouping": str, "seed": float, "score": float},
)
"""A row per run of an {x,y,z} with a grouping, its score the average over tasks (Figure 4)."""
