"""The table of one target's sources (`relevance.pairwise.one_target` writes it)."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from hmnet.storage.table_format import TableFormat

Way: TypeAlias = Literal["with", "after"]


class Help(NamedTuple):
    """A source, and whether the target is trained `with` it or `after` it."""

    source: str
    way: Way = "with"

    def __str__(self) -> str:
        """Name it: a source that comes first is marked, which no task's name can be."""
        return self.source if self.way == "with" else f"{self.source} first"


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
"""A row per source and way, the best one first: relative gain (equation 4) with its interval, gain
in score (`points`, a fraction), and what is said of it. A column `way` holds that of `Help`; files
from before it have none. The footer holds the target and the decision."""
