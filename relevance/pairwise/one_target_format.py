"""The table of one target's sources (`relevance.pairwise.one_target` writes it)."""

from __future__ import annotations

from hmnet.storage.table_format import TableFormat

ONE_TARGET = TableFormat(
    "one-target/1",
    {
        "source": str,
        "gain": float,
        "low": float,
        "high": float,
        "points": float,
        "p_value": float,
        "q_value": float,
        "n_seeds": float,
        "verdict": str,
    },
)
"""A row per source, the best one first: relative gain (equation 4) with its interval, gain in score
(`points`, a fraction), and what is said of it. The footer holds the target and the decision."""
