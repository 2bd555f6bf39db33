"""What a comparison's table says of itself: settings, rows, and how each system shares layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class SystemOrigin:
    """What defines a system (`relevance.systems.compare.to_plain_system`).

    Attributes:
        name: of the system.
        hierarchy: {x,y,z} as text; None where it has none, or is not known.
        groups: name of each group to its tasks; None where there are none.
        duplicate: what groups and tasks own copies of: `layer` or `ffn`.
        stages: hierarchies of a run's parts with their shares, as text; empty for one hierarchy.
    """

    name: str
    hierarchy: str | None = None
    groups: Mapping[str, Sequence[str]] | None = None
    duplicate: str | None = None
    stages: str = ""


@dataclass(frozen=True)
class TrainingOrigin:
    """The training settings that every system had, as far as a report tells them."""

    epochs: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True)
class RowsOrigin:
    """The limits of rows and tokens that every system had; None for no limit."""

    max_train: int | None = None
    max_length: int | None = None


@dataclass(frozen=True)
class ComparisonOrigin:
    """How a comparison came to be; what is not recorded is empty or None."""

    systems: tuple[SystemOrigin, ...] = ()
    training: TrainingOrigin | None = None
    rows: RowsOrigin | None = None
