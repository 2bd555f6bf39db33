"""Results of a comparison that stand for nothing learned: how many of each system's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from analysis.scores.collapse import CollapsedRun, find_collapsed
from hmnet.jobs.prepared import PreparedStudy
from hmnet.runs.store import RunStore
from relevance.systems.compare import read_systems
from relevance.systems.comparison_format import SINGLE
from relevance.systems.systems import System, plan_system


def find_collapsed_results(
    prepared: PreparedStudy, systems: Sequence[System], store: RunStore
) -> list[CollapsedRun]:
    """Return every task and seed for which a system learned nothing; `partner` is the system.

    A task without a finished single-task run is left out, as in the comparison.
    """
    losses = _read_losses(prepared, systems, store)
    return [
        run
        for task, predictions in read_systems(prepared, systems, store).items()
        for run in find_collapsed(predictions, losses.get(task))
    ]


def _read_losses(
    prepared: PreparedStudy, systems: Sequence[System], store: RunStore
) -> dict[str, dict[tuple[str, int], float]]:
    """Return task to (system, "" for single-task ones, and seed) to the loss of its last steps."""
    losses: dict[str, dict[tuple[str, int], float]] = {}
    for system in systems:
        arm = "" if system.name == SINGLE else system.name
        for seed in prepared.study.seeds:
            for job in plan_system(prepared, system, seed):
                if store.is_done(job.spec):
                    for task, loss in store.late_losses(job.spec).items():
                        losses.setdefault(task, {})[arm, seed] = loss
    return losses


def describe_collapsed_results(
    found: Sequence[CollapsedRun], prepared: PreparedStudy, systems: Sequence[System]
) -> str:
    """Return how many results of each system collapsed."""
    counts = Counter(run.partner or SINGLE for run in found)
    most = len(prepared.study.tasks) * len(prepared.study.seeds)
    shown = ", ".join(f"{s.name} {counts[s.name]}" for s in systems if counts[s.name])
    tasks = ", ".join(dict.fromkeys(run.task for run in found))
    return (
        f"collapsed results (one answer for every example, or a loss no better than guessing), of "
        f"{most} per system: {shown}. They are in the means. Tasks: {tasks}"
    )
