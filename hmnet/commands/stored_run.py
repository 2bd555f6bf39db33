"""A finished run by its name: its result, its description and its tasks."""

from __future__ import annotations

import pandas as pd

from hmnet.errors import InputError, suggest
from hmnet.folder.outputs import Output
from hmnet.jobs.progress_line import describe_micro_batches
from hmnet.runs.result import RunResult, describe_parameters, read_result
from hmnet.runs.spec import RunSpec
from hmnet.runs.stopping_record import Stopping, read_stopping
from hmnet.study.tasks import Task, average_primary


def read_run(output: Output, run: str) -> tuple[RunSpec, RunResult]:
    """Return the spec and the result of a run that is done.

    Raises:
        InputError: if there is no such run, or its result is not as the run wrote it.
    """
    folder, spec = output.runs.find(run)
    return spec, read_result(folder / "result.json")


def read_stopping_of(output: Output, run: str) -> Stopping | None:
    """Return at which epoch a run's tasks stopped; None where all went on to the end."""
    return read_stopping(output.runs.find(run)[0])


def describe_run(spec: RunSpec, result: RunResult, stopping: Stopping | None = None) -> str:
    """Return the scores per task, dev split and metric, and exact parameter counts, as text.

    Args:
        stopping: at which epoch each task stopped; None where all went on to the end.
    """
    rows = [
        {"task": task, "split": split, "metric": metric, "score": value}
        for task, splits in result.scores.items()
        for split, metrics in splits.items()
        for metric, value in metrics.items()
    ]
    table = pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.4f}")
    halved = [describe_micro_batches(result.micro_batches)] if result.micro_batches > 1 else []
    counts = ", ".join(f"{count:,} {name}" for name, count in result.parameters.items())
    return "\n".join(
        [
            table,
            f"mean of the primary metric: {average_primary(result.primary, spec.tasks):.4f}",
            f"{describe_parameters(result.parameters)} (exactly {counts})",
            *halved,
            *_describe_stopping(stopping),
            f"run {spec.run_id}",
        ]
    )


def _describe_stopping(stopping: Stopping | None) -> list[str]:
    """Return a line that says which epoch's path each task has; none where all have the last."""
    if stopping is None:
        return []
    shown = ", ".join(
        f"{task} {epoch} of {len(stopping.scores[task])}" for task, epoch in stopping.epochs.items()
    )
    return [f"epoch whose weights each task has, by held-out training rows: {shown}"]


def find_task(spec: RunSpec, name: str) -> Task:
    """Return a run's task by its name."""
    found = next((task for task in spec.tasks if task.name == name), None)
    if found is None:
        raise InputError(
            f"Parameter `task` should be a task of run `{spec.run_id}`. Found `{name}`."
            f"{suggest(name, spec.names)}"
        )
    return found
