"""What the run folders hold: results, failures, runs under way, and loss curves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pyarrow.parquet as pq

from analysis.scores.collapse import is_constant
from hmnet.errors import InputError
from hmnet.runs.result import FAILURE_SCHEMA, RunFailure, RunResult, check_files, read_result
from hmnet.runs.spec import RunSpec, read_spec
from hmnet.storage.documents import read_document
from hmnet.study.tasks import Task
from reports.inputs.checked_tables import check_own

RunKind = Literal["single-task", "sequential", "pair", "multi-task", "skillnet", "hierarchical"]
RUN_KINDS: tuple[RunKind, ...] = get_args(RunKind)


@dataclass(frozen=True)
class TaskCheck:
    """What a run's dev predictions of classes show, of rows or of words.

    Attributes:
        majority_frac: share of the most frequent label.
        is_constant: whether every example, or word, gets the same answer, though labels differ.
    """

    majority_frac: float
    is_constant: bool


@dataclass(frozen=True, eq=False)
class RunRecord:
    """A finished run.

    Attributes:
        folder: where it lies.
        spec: what decided its numbers.
        result: what it reports.
        checks: task to what its predictions show; only where classes are predicted.
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
    def kind(self) -> RunKind:
        """How the run's tasks share layers."""
        if self.spec.system == "skillnet":
            return "skillnet"
        if len(self.spec.names) == 1:
            return "sequential" if self.spec.start_from else "single-task"
        if not self.spec.shares_all:
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

    def of_kind(self, kind: RunKind) -> list[RunRecord]:
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
    for name in ("spec.json", "result.json", "failure.json", "metrics.jsonl"):
        check_own(path / name)
    if (path / "result.json").exists():
        spec = read_spec(path / "spec.json")
        result = read_result(path / "result.json")
        names = ("metrics.jsonl", *(f"predictions/{name}.parquet" for name in spec.names))
        check_files(path, {name: result.files[name] for name in names if name in result.files})
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
        if task.facts.answer == "class" and file.exists():
            checks[task.name] = _check_table(task, file)
    return checks


def _check_table(task: Task, file: Path) -> TaskCheck:
    try:
        with pq.ParquetFile(file) as table:
            rows = table.read(columns=["label", "prediction"])
        labels, predictions = (
            np.concatenate(column.to_numpy()) if task.facts.reads_words else column.to_numpy()
            for column in (rows["label"], rows["prediction"])
        )
    except (OSError, ValueError, KeyError) as error:  # pyarrow's errors are ValueErrors
        raise InputError(f"{file}: the file should be parquet. Found: {error}.") from None
    counts = np.unique(labels, return_counts=True)[1]
    majority = counts.max() / counts.sum() if len(counts) else math.nan
    return TaskCheck(float(majority), is_constant(predictions, labels))
