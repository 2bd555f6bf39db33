"""What the systems of a comparison were given: the budget, and who shares which layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.comparison import label_system
from reports.formatting import format_count, format_number


@dataclass(frozen=True)
class Design:
    """How a system shares its layers.

    Attributes:
        system: what to call it.
        layers: `{4,1,1}`; "each task alone" without shared layers.
        groups: name of each group to its tasks; empty where there are none.
    """

    system: str
    layers: str
    groups: Mapping[str, Sequence[str]]


def list_designs(origin: Mapping[str, Any]) -> list[Design]:
    """Return how each system of a comparison shares layers, from its table's provenance."""
    return [
        Design(label_system(str(system["name"])), _tell_layers(system), system.get("groups") or {})
        for system in origin.get("systems", ())
    ]


def _tell_layers(system: Mapping[str, Any]) -> str:
    if system["name"] == "skillnet":
        return "modules of skills in every layer"
    if not system.get("hierarchy"):
        return "each task alone"
    partial = ", feed-forward blocks only" if system.get("duplicate") == "ffn" else ""
    return f"{{{system['hierarchy']}}}{partial}"


def describe_budget(origin: Mapping[str, Any]) -> str:
    """Return what every system was given, as a sentence; empty where that is not recorded."""
    training, rows = origin.get("training"), origin.get("rows") or {}
    if not training:
        return ""
    most = rows.get("max_train")
    parts = [
        f"{format_count(training['epochs'], 'epoch')} over "
        + (f"at most {format_number(most, 0)} rows of each task" if most else "all rows"),
        f"batches of {training['batch_size']}",
        f"learning rate {training['learning_rate']:g}",
    ]
    if rows.get("max_length"):
        parts.append(f"at most {rows['max_length']} tokens")
    return f"Equal budget for every system: {', '.join(parts)}; the same rows, batches and seeds."
