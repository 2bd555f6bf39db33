"""What the run folders hold: results, failures, runs under way, and loss curves."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq

from hmnet.errors import InputError
from hmnet.runs import (
    FAILURE_SCHEMA,
    RESULT_SCHEMA,
    SPEC_SCHEMA,
    RunFailure,
    RunResult,
    RunSpec,
)
from hmnet.storage import read_document
from reports.formatting import format_count

Kind = Literal["single-task", "pair", "multi-task", "skillnet", "hierarchical"]
KINDS: tuple[Kind, ...] = get_args(Kind)
CURVE_POINTS = 48
MOST_LINES = 6
"""Most kinds of run whose curves are drawn; a sweep over layers may have many more."""


@dataclass(frozen=True)
class TaskCheck:
    """What a run's dev predictions of a classification show.

    Attributes:
        majority_frac: share of the most frequent label.
        predicted_classes: number of different classes predicted.
    """

    majority_frac: float
    predicted_classes: int


@dataclass(frozen=True, eq=False)
class RunRecord:
    """A finished run.

    Attributes:
        folder: where it lies.
        spec: what decided its numbers.
        result: what it reports.
        checks: task to what its predictions show; classifications only.
    """

    folder: Path
    spec: RunSpec
    result: RunResult
    checks: Mapping[str, TaskCheck]

    @property
    def run_id(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def kind(self) -> Kind:
        """How the run's tasks share layers."""
        if self.spec.system == "skillnet":
            return "skillnet"
        if len(self.spec.names) == 1:
            return "single-task"
        if self.spec.hierarchy.shared < self.spec.hierarchy.depth:
            return "hierarchical"
        return "pair" if len(self.spec.names) == 2 else "multi-task"

    @property
    def seconds(self) -> float:
        """Training and evaluation, on one worker."""
        return sum(self.result.seconds.values())


@dataclass(frozen=True)
class FailedRun:
    """A run that ended in an error."""

    run_id: str
    error: str


@dataclass(frozen=True, eq=False)
class RunIndex:
    """Everything in the folder of runs.

    Attributes:
        done: finished runs, by folder name.
        failed: runs that ended in an error.
        running: runs that a worker marked as under way (or was killed in).
        unfinished: runs that were begun and have neither result, error nor mark.
        problems: run folders that could not be read.
    """

    done: tuple[RunRecord, ...] = ()
    failed: tuple[FailedRun, ...] = ()
    running: int = 0
    unfinished: int = 0
    problems: tuple[str, ...] = ()

    def of_kind(self, kind: Kind) -> list[RunRecord]:
        """Return the finished runs of a kind."""
        return [record for record in self.done if record.kind == kind]

    @property
    def seeds(self) -> list[int]:
        """Seeds of the finished runs."""
        return sorted({record.spec.seed for record in self.done})


def read_runs(folder: Path) -> RunIndex:
    """Read every run folder; one that cannot be read becomes a problem, not an error."""
    done: list[RunRecord] = []
    failed: list[FailedRun] = []
    problems: list[str] = []
    states = {"running": 0, "unfinished": 0}
    for path in _list_runs(folder):
        try:
            found = _read_run(path)
        except InputError as error:
            problems += error.problems
            continue
        if isinstance(found, RunRecord):
            done.append(found)
        elif isinstance(found, FailedRun):
            failed.append(found)
        else:
            states[found] += 1
    return RunIndex(tuple(done), tuple(failed), **states, problems=tuple(problems))


def _list_runs(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] != "."]


def _read_run(path: Path) -> RunRecord | FailedRun | Literal["running", "unfinished"]:
    if (path / "result.json").exists():
        spec = read_document(path / "spec.json", SPEC_SCHEMA, RunSpec)
        result = read_document(path / "result.json", RESULT_SCHEMA, RunResult)
        return RunRecord(path, spec, result, _check_predictions(path, spec))
    if (path / ".running").exists():
        return "running"
    if (path / "failure.json").exists():
        failure = read_document(path / "failure.json", FAILURE_SCHEMA, RunFailure)
        return FailedRun(path.name, failure.error)
    return "unfinished"


def _check_predictions(path: Path, spec: RunSpec) -> Mapping[str, TaskCheck]:
    checks = {}
    for task in spec.tasks:
        file = path / "predictions" / f"{task.name}.parquet"
        if task.kind == "classification" and file.exists():
            checks[task.name] = _check_table(file)
    return checks


def _check_table(file: Path) -> TaskCheck:
    try:
        with pq.ParquetFile(file) as table:
            rows = table.read(columns=["label", "prediction"])
        labels, predictions = (rows[name].to_numpy() for name in ("label", "prediction"))
    except (OSError, ValueError, KeyError) as error:  # pyarrow's errors are ValueErrors
        raise InputError(f"{file}: the file should be parquet. Found: {error}.") from None
    counts = np.unique(labels, return_counts=True)[1]
    majority = counts.max() / counts.sum() if len(counts) else math.nan
    return TaskCheck(float(majority), len(np.unique(predictions)))


@dataclass(frozen=True, eq=False)
class Curve:
    """A task's training loss in one run, averaged over equal stretches of the run.

    Attributes:
        run_id: the run.
        kind: how its tasks share layers.
        label: what to call the run in a legend.
        progress: share of the run's steps done, at the middle of each stretch; shape [P].
        loss: mean training loss in the stretch, shape [P].
    """

    run_id: str
    kind: Kind
    label: str
    progress: npt.NDArray[np.float64]
    loss: npt.NDArray[np.float64]


def read_curves(index: RunIndex) -> dict[str, list[Curve]]:
    """Return task to its loss curves: single, multi-task and hierarchical runs of one seed.

    Pairs are left out: a study has too many of them to be seen in a picture.
    """
    found: dict[str, list[Curve]] = {}
    for record, label in _choose_curves(index):
        for task, progress, loss in _read_losses(record.folder / "metrics.jsonl"):
            curve = Curve(record.run_id, record.kind, label, progress, loss)
            found.setdefault(task, []).append(curve)
    return found


def _choose_curves(index: RunIndex) -> Iterator[tuple[RunRecord, str]]:
    """Yield each run to draw with its label: the lowest seed of each configuration."""
    seen: dict[object, str] = {}
    for record in sorted(index.done, key=lambda r: (r.spec.seed, r.run_id)):
        spec = record.spec
        key = (spec.names, spec.system, str(spec.hierarchy), spec.groups, spec.duplicate)
        if record.kind == "pair" or key in seen:
            continue
        label = label_run(record)
        if len({label, *seen.values()}) <= MOST_LINES:
            seen[key] = label
            yield record, label


def label_run(record: RunRecord) -> str:
    """Return what to call a run: how it shares layers."""
    if record.kind != "hierarchical":
        return record.kind
    suffix = "" if record.spec.duplicate == "layer" else f", {record.spec.duplicate}"
    groups = format_count(len(record.spec.groups), "group")
    return f"hierarchical {{{record.spec.hierarchy}}}, {groups}{suffix}"


def _read_losses(
    path: Path,
) -> Iterator[tuple[str, npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    lines = _read_lines(path)
    if not lines:
        return
    frame = pd.DataFrame(lines, columns=["step", "task", "loss"])
    steps = float(frame["step"].max()) + 1
    for task, rows in frame.groupby("task"):
        parts = np.array_split(np.arange(len(rows)), min(CURVE_POINTS, len(rows)))
        progress = rows["step"].to_numpy(np.float64) / steps
        loss = rows["loss"].to_numpy(np.float64)
        yield str(task), _average(progress, parts), _average(loss, parts)


def _average(
    values: npt.NDArray[np.float64], parts: Sequence[npt.NDArray[np.intp]]
) -> npt.NDArray[np.float64]:
    return np.array([values[part].mean() for part in parts])


def _read_lines(path: Path) -> list[tuple[int, str, float]]:
    """Return step, task and loss of every line; a killed run may leave half of one."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [entry for line in lines if (entry := _read_line(line)) is not None]


def _read_line(line: str) -> tuple[int, str, float] | None:
    try:
        entry = json.loads(line)
        return int(entry["step"]), str(entry["task"]), float(entry["loss"])
    except (ValueError, KeyError, TypeError):
        return None
