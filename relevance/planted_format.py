"""`planted.json`: what was planted in a demo and what was found (`relevance.demo` writes it)."""

from __future__ import annotations

from dataclasses import field

from pydantic.dataclasses import dataclass

from hmnet.study.settings import STRICT

PLANTED_SCHEMA = "planted/1"


@dataclass(frozen=True, config=STRICT)
class Recovery:
    """How well the planted groups were found: the adjusted Rand index, 1 for exactly.

    Attributes:
        adjusted_rand_index: that of the groups that the demo goes on with.
        k: number of groups.
        by_method: clustering method to its index.
    """

    adjusted_rand_index: float
    k: int
    by_method: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class PlantedRecord:
    """`planted.json`: what was planted and what was found."""

    description: str
    groups: dict[str, tuple[str, ...]]
    found: Recovery
