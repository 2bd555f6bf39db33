"""What the systems of a comparison were given: the budget, and who shares which layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.gains.paired import AVERAGES
from relevance.systems.comparison_format import SINGLE, SKILLNET
from reports.inputs.comparison_origin import (
    ComparisonOrigin,
    RowsOrigin,
    SystemOrigin,
    TrainingOrigin,
)
from reports.inputs.run_index import RunIndex, RunRecord
from reports.inputs.score_table import label_system
from reports.style.formatting import MISSING, count_noun, format_number


@dataclass(frozen=True)
class SystemDesign:
    """How a system shares its layers.

    Attributes:
        system: what to call it.
        layers: `{4,1,1}`, or in words where that does not say it.
        groups: name of each group to its tasks; empty where there are none.
    """

    system: str
    layers: str
    groups: Mapping[str, Sequence[str]]


def list_designs(origin: ComparisonOrigin) -> list[SystemDesign]:
    """Return how each system of a comparison shares layers, from its table's provenance."""
    return [
        SystemDesign(label_system(system.name), _tell_layers(system), system.groups or {})
        for system in origin.systems
    ]


def _tell_layers(system: SystemOrigin) -> str:
    if system.name == SKILLNET:
        return "modules of skills in every layer"
    if system.name == SINGLE:
        return "each task alone"
    if not system.hierarchy:
        return MISSING
    if system.stages:
        return f"coarse to fine: {system.stages}"
    partial = ", feed-forward blocks only" if system.duplicate == "ffn" else ""
    return f"{{{system.hierarchy}}}{partial}"


def tell_budget(origin: ComparisonOrigin) -> str:
    """Return what every system was given, as a sentence; empty where that is not recorded."""
    training, rows = origin.training, origin.rows
    if training is None:
        return ""
    parts = [
        count_noun(training.epochs, "epoch") + _tell_rows(rows),
        f"batches of {training.batch_size}",
        f"learning rate {training.learning_rate:g}",
    ]
    if rows is not None and rows.max_length:
        parts.append(f"at most {rows.max_length} tokens")
    return f"Equal budget for every system: {', '.join(parts)}; the same rows, batches and seeds."


def _tell_rows(rows: RowsOrigin | None) -> str:
    if rows is None:
        return ""
    most = rows.max_train
    return f" over at most {format_number(most, 0)} rows of each task" if most else " over all rows"


def recall_origin(comparison: pd.DataFrame, runs: RunIndex) -> ComparisonOrigin:
    """Return what the runs behind a comparison record, for a table that says less of itself.

    A system's run is the one with its very scores.
    """
    seeded = comparison[comparison["seed"].notna() & ~comparison["task"].isin(AVERAGES)]
    systems: list[SystemOrigin] = []
    found: RunRecord | None = None
    for system, rows in seeded.groupby("system", sort=False):
        first = rows[rows["seed"] == rows["seed"].min()]
        scores = dict(zip(first["task"], first["score"], strict=True))
        record = next(
            (r for r in runs.done if len(scores) > 1 and r.result.primary == scores), None
        )
        systems.append(_describe_run(str(system), record))
        found = record or found
    if found is None:
        return ComparisonOrigin()
    used = found.spec.training
    training = TrainingOrigin(used.epochs, used.batch_size, used.learning_rate)
    return ComparisonOrigin(tuple(systems), training)


def _describe_run(system: str, record: RunRecord | None) -> SystemOrigin:
    if record is None:
        return SystemOrigin(system)
    spec = record.spec
    groups = {str(i): group for i, group in enumerate(spec.groups, start=1)}
    has_groups = any(spec.varied.of(name).cluster for name in spec.names)
    shown = groups if has_groups else None
    return SystemOrigin(system, str(spec.varied), shown, spec.duplicate)
