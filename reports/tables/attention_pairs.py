"""The pairs whose attention maps were compared (paper, Figures 5 and 6), with their gains."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from relevance.matrices.gain_table import GainTable


@dataclass(frozen=True, eq=False)
class AttentionPair:
    """Two tasks trained together.

    Attributes:
        tables: task to its similarities: columns `layer`, `head`, `similarity`.
        gains: task to its relative gain from the other; only those that are known and say
            something.
    """

    tables: Mapping[str, pd.DataFrame]
    gains: Mapping[str, float]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Both tasks, as they are recorded."""
        return tuple(self.tables)

    def partner(self, task: str) -> str:
        """Return the other task."""
        return next((other for other in self.tables if other != task), task)

    @property
    def kind(self) -> str:
        """`positive` where both tasks gain, `negative` where both lose, else `mixed`, or empty."""
        if len(self.gains) < 2:
            return ""
        signs = {gain > 0 for gain in self.gains.values()}
        return "mixed" if len(signs) > 1 else "positive" if True in signs else "negative"

    @property
    def mean_gain(self) -> float:
        """Mean of the known gains; minus infinity without any."""
        known = list(self.gains.values())
        return sum(known) / len(known) if known else -math.inf


def list_attention_pairs(
    frame: pd.DataFrame, gains: GainTable | None = None
) -> list[AttentionPair]:
    """Return the pairs of a table of similarities, the one that gains most first.

    Args:
        frame: columns `task`, `partner`, `layer`, `head`, `similarity`.
        gains: those of the tasks; without them the table's order is kept.
    """
    tables: dict[frozenset[str], dict[str, pd.DataFrame]] = {}
    for (task, partner), rows in frame.groupby(["task", "partner"], sort=False):
        tables.setdefault(frozenset((str(task), str(partner))), {})[str(task)] = rows
    sound = gains.sound if gains is not None else ()
    known = {(gain.source, gain.target): gain.value for gain in sound}
    pairs = [
        AttentionPair(
            found,
            {t: known[o, t] for t in found for o in pair - {t} if (o, t) in known},
        )
        for pair, found in tables.items()
    ]
    return sorted(pairs, key=lambda pair: -pair.mean_gain)
