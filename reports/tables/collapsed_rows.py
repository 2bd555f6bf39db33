"""Runs that did not learn one of their tasks, as rows of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analysis.scores.collapse import ONE_CLASS
from reports.inputs.report_inputs import ReportInputs
from reports.inputs.run_index import RunRecord
from reports.style.formatting import count_noun


@dataclass(frozen=True)
class Collapse:
    """A task that a run did not learn.

    Attributes:
        trained_with: `alone`, another task, or `12 others (skillnet)`.
        reason: what shows it.
        in_means: whether the run's score counts in the gains; None where it has no part in them.
    """

    task: str
    trained_with: str
    seed: int
    reason: str
    in_means: bool | None

    @property
    def counted(self) -> str:
        """`yes`, `no`, or nothing where the run has no part in the gains."""
        return "" if self.in_means is None else "yes" if self.in_means else "no"


@dataclass(frozen=True)
class CollapseCount:
    """How many of a task's runs did not learn it."""

    task: str
    collapsed: int
    runs: int


def list_collapses(inputs: ReportInputs) -> list[Collapse]:
    """Return every task that a run did not learn: of the sweep as it judged them, then others."""
    judged = inputs.collapsed is not None
    return [*_list_judged(inputs), *_list_seen(inputs, judged=judged)]


def _list_judged(inputs: ReportInputs) -> Iterator[Collapse]:
    if inputs.collapsed is None:
        return
    for row in inputs.collapsed.to_dict("records"):
        trained_with = str(row["partner"]) or "alone"
        counts = bool(row["in_means"])
        yield Collapse(str(row["task"]), trained_with, int(row["seed"]), str(row["reason"]), counts)


def _list_seen(inputs: ReportInputs, *, judged: bool) -> Iterator[Collapse]:
    """Yield what the runs' predictions show, for runs that the sweep did not judge."""
    for record in inputs.runs.done:
        is_sweep = record.kind in ("single-task", "pair")
        if is_sweep and judged:
            continue
        for task in list_collapsed_tasks(record):
            trained_with = _name_others(record, task)
            counts = True if is_sweep else None
            yield Collapse(task, trained_with, record.spec.seed, ONE_CLASS, counts)


def _name_others(record: RunRecord, task: str) -> str:
    others = [name for name in record.spec.names if name != task]
    if len(others) < 2:
        return others[0] if others else "alone"
    return f"{count_noun(len(others), 'other')} ({record.kind})"


def list_collapsed_tasks(record: RunRecord) -> list[str]:
    """Return the tasks for which a run gives every example the same answer."""
    return [name for name, check in record.checks.items() if check.is_constant]


def count_collapses(inputs: ReportInputs, found: Sequence[Collapse]) -> list[CollapseCount]:
    """Return task to its collapsed runs and all its runs, the worst first."""
    collapsed = Counter(one.task for one in found)
    runs = Counter(name for record in inputs.runs.done for name in record.spec.names)
    counts = [CollapseCount(task, n, max(runs[task], n)) for task, n in collapsed.items()]
    return sorted(counts, key=lambda count: (-count.collapsed / count.runs, count.task))


def count_runs(found: Sequence[Collapse]) -> int:
    """Return the number of runs behind the rows; a run may have failed at several tasks."""
    return len({(frozenset((one.task, one.trained_with)), one.seed) for one in found})
