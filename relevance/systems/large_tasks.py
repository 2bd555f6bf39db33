"""Averages over the tasks whose dev splits are large enough to carry a claim.

Two tasks of 71 and 56 dev rows hold half of the noise of an average over the paper's 13.
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.gains.paired import (
    AVERAGE,
    Estimate,
    estimate_differences,
    estimate_scores,
    score_systems,
)
from hmnet.jobs.prepared import PreparedStudy
from hmnet.runs.store import RunStore
from relevance.systems.compare import read_systems
from relevance.systems.comparison_format import REFERENCE_SYSTEMS, SINGLE
from relevance.systems.systems import System

LEAST_DEV_ROWS = 250


def list_large(prepared: PreparedStudy) -> list[str]:
    """Return the tasks with at least `LEAST_DEV_ROWS` dev rows."""
    return [
        name
        for name, data in prepared.data.items()
        if sum(len(data.splits[split]) for split in data.task.dev_splits) >= LEAST_DEV_ROWS
    ]


def describe_large_tasks(
    prepared: PreparedStudy, systems: Sequence[System], store: RunStore
) -> list[str]:
    """Return each system's average over large tasks; nothing where all are large, or none is."""
    large = list_large(prepared)
    if len(large) in (0, len(prepared.data)):
        return []
    found = read_systems(prepared, systems, store)
    if not set(large) <= set(found):
        return []
    scored = score_systems({name: found[name] for name in large}, SINGLE)
    scores = estimate_scores(scored)
    differences = {
        other: estimate_differences(scored, other) for other in REFERENCE_SYSTEMS.values()
    }
    lines = [f"average over the {len(large)} tasks of at least {LEAST_DEV_ROWS} dev rows, %"]
    for (task, system), score in scores.items():
        if task == AVERAGE:
            against = [
                f"{_show(estimates[AVERAGE, system])} to {other}"
                for other, estimates in differences.items()
                if (AVERAGE, system) in estimates
            ]
            lines.append(f"  {system}: {', '.join([f'{100 * score.value:.1f}', *against])}")
    return ["", *lines]


def _show(estimate: Estimate) -> str:
    value, low, high = (100 * each for each in (estimate.value, estimate.low, estimate.high))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"
