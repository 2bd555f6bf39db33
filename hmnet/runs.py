"""Runs: what decides a run's numbers, what it leaves behind, and the store of them.

    runs/<readable prefix>-<10 hex>/
        spec.json                    the whole `RunSpec`
        metrics.jsonl                loss curve, a line per step that was logged
        predictions/<task>.parquet   a row per dev example
        model/                       only where it was asked for
        result.json                  written last: its presence means done
        failure.json                 in place of it where the run failed

The ten digits hash the `RunSpec` without `NOT_IDENTITY`, so a run is found again by what decides
its numbers, whoever asks and wherever it ran.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout
from pydantic import Field
from pydantic.dataclasses import dataclass

from hmnet.errors import (
    InputError,
    RelevanceError,
    WriteError,
    describe_write,
    raise_problems,
)
from hmnet.hierarchy import HierarchySpec
from hmnet.settings import STRICT, TrainingSettings
from hmnet.skills import find_skills
from hmnet.storage import (
    canonical_json,
    digest,
    digest_file,
    read_document,
    read_json,
    read_table,
    to_plain,
    write_document,
    write_table,
)
from hmnet.tasks import Task

if TYPE_CHECKING:
    import pandas as pd

ENGINE_VERSION = 4
"""Bumped by hand when a change of the engine changes numbers; part of every run's identity."""

SPEC_SCHEMA = "run-spec/1"
RESULT_SCHEMA = "run-result/1"
FAILURE_SCHEMA = "run-failure/1"
PREDICTIONS_SCHEMA = "predictions/1"
RUNNING_MARK = ".running"
"""File in the folder of a run that a worker has begun."""

NOT_IDENTITY = ("tasks.source", "tasks.splits", "tasks.category", "model.name", "model.revision")
"""Fields of a `RunSpec` that do not decide its numbers: what was read is identified by the data
and weights fingerprints, not by where it was read from."""

LATER = (
    "system",
    "duplicate",
    "training.sampling",
    "training.temperature",
    "training.cap",
    "training.loss_weights",
)
"""Fields that came after the first version. One that holds its default stays out of the identity,
so that runs from before it keep their names."""


@dataclass(frozen=True, config=STRICT)
class ModelRef:
    """A pretrained encoder.

    Attributes:
        name: hub id or local folder.
        revision: the commit on the hub; None for a folder.
        fingerprint: hash of its configuration and weights.
    """

    name: str
    revision: str | None
    fingerprint: str


@dataclass(frozen=True, config=STRICT)
class RunSpec:
    """Everything that decides a run's numbers.

    Attributes:
        tasks: full definitions, in order of name (their order never matters).
        data: task name to the fingerprint of its tokenised rows.
        model: the encoder that initialises every layer.
        hierarchy: {x, y, z}.
        groups: the partition of the tasks (canonical order, without names).
        training: optimisation settings.
        seed: seed of heads, data order and dropout.
        engine_version: `ENGINE_VERSION` of the code that runs it.
        system: `hierarchy`, or `skillnet` for the SkillNet-style baseline (`hmnet.skillnet`),
            which shares every layer but its skills and so has the hierarchy {L,0,0}.
        duplicate: what clusters and tasks own a copy of: the whole `layer`, or its feed-forward
            block alone (`ffn`).
    """

    tasks: tuple[Task, ...]
    data: Mapping[str, str]
    model: ModelRef
    hierarchy: HierarchySpec
    groups: tuple[tuple[str, ...], ...]
    training: TrainingSettings
    seed: int
    engine_version: int = ENGINE_VERSION
    system: Literal["hierarchy", "skillnet"] = "hierarchy"
    duplicate: Literal["layer", "ffn"] = "layer"

    def __post_init__(self) -> None:
        names = [task.name for task in self.tasks]
        if names != sorted(set(names)) or set(names) != set(self.data):
            raise ValueError("Parameter `tasks` should be sorted, unique and match `data`.")
        if sorted(name for group in self.groups for name in group) != names:
            raise ValueError("Parameter `groups` should be a partition of the tasks.")
        if self.system == "skillnet" and not self.shares_all:
            raise ValueError(
                "Parameter `hierarchy` should share every layer in a SkillNet-style model. "
                f"Found `{self.hierarchy}`."
            )

    @property
    def shares_all(self) -> bool:
        """Whether no layer belongs to a group or a task."""
        return self.hierarchy.cluster == 0 and self.hierarchy.task == 0

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks' names."""
        return tuple(task.name for task in self.tasks)

    @property
    def run_id(self) -> str:
        """Readable prefix and ten hex digits of the identity."""
        shown = "-".join(self.names) if len(self.names) < 3 else f"{len(self.names)}tasks"
        prefix = re.sub(r"[^A-Za-z0-9_-]", "_", f"{shown[:48]}-s{self.seed}")
        return f"{prefix}-{digest(canonical_json(self._identity()))[:10]}"

    def _identity(self) -> dict[str, Any]:
        content: dict[str, Any] = to_plain(self)
        for path in NOT_IDENTITY:
            owner, name = path.split(".")
            entries = content[owner] if isinstance(content[owner], list) else [content[owner]]
            for entry in entries:
                del entry[name]
        if self.hierarchy.cluster == 0:
            content["groups"] = []
        if self.shares_all:
            content["duplicate"] = "layer"
        if self.system == "skillnet":
            content["skills"] = {task.name: find_skills(task) for task in self.tasks}
        _drop_later_defaults(content)
        return content


def _drop_later_defaults(content: dict[str, Any]) -> None:
    """Remove the `LATER` fields that hold their defaults."""
    defaults: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(RunSpec)}
    defaults["training"] = to_plain(TrainingSettings())
    for path in LATER:
        *owners, name = path.split(".")
        holder, known = content, defaults
        for owner in owners:
            holder, known = holder[owner], known[owner]
        if holder[name] == known[name]:
            del holder[name]


@dataclass(frozen=True, config=STRICT)
class RunResult:
    """What a finished run reports.

    Attributes:
        scores: task, dev split and metric to value.
        primary: task to the mean of its primary metric over its dev splits (f in equation 3).
        n_dev: task and dev split to the number of examples.
        steps: optimiser steps.
        train_tokens: tokens seen in training.
        seconds: `train` and `evaluate`.
        parameters: `overall` and `activated` (one task's path, the largest).
        final_loss: task to its mean training loss over the last epoch.
        micro_batches: parts that a batch was cut into because the device ran out of memory.
        versions: package name to version.
        files: file of the run's folder to the digest of its content (`RunStore.finish` adds it).
        own: digest of all the rest, by which an altered result is found; empty in older ones.
    """

    scores: Mapping[str, Mapping[str, Mapping[str, float]]]
    primary: Mapping[str, float]
    n_dev: Mapping[str, Mapping[str, int]]
    steps: int
    train_tokens: int
    seconds: Mapping[str, float]
    parameters: Mapping[str, int]
    final_loss: Mapping[str, float]
    versions: Mapping[str, str]
    status: Literal["done"] = "done"
    files: Mapping[str, str] = Field(default_factory=dict)
    micro_batches: int = 1
    own: str = ""

    def sign(self) -> RunResult:
        """Return the result with its own digest."""
        return dataclasses.replace(self, own=_sign(to_plain(self)))


def read_result(path: Path) -> RunResult:
    """Read a `result.json`.

    Raises:
        InputError: if it is missing, or not as its run wrote it.
    """
    result = read_document(path, RESULT_SCHEMA, RunResult)
    if result.own and _sign(read_json(path)) != result.own:
        raise InputError(_altered(path))
    return result


def _sign(fields: Any) -> str:
    """Return the digest of a result's fields as they are written, whichever there are."""
    rest = {name: value for name, value in fields.items() if name not in ("own", "schema")}
    return digest(canonical_json(rest))


def _altered(path: Path) -> str:
    return (
        f"{path}: the file should be as its run wrote it. It was altered or cut short; "
        "`relevance verify --redo` has the run done again."
    )


@dataclass(frozen=True, config=STRICT)
class RunFailure:
    """Why a run has no result: the error's sentence and its traceback."""

    error: str
    traceback: str = ""
    context: Mapping[str, Any] = Field(default_factory=dict)


KEPT_FILES = ("spec.json", "metrics.jsonl", "predictions/*.parquet", "model/**/*")
"""Files of a finished run, as patterns; their digests stand in its result."""


def digest_files(folder: Path) -> dict[str, str]:
    """Return each kept file of a run's folder with the digest of its content."""
    paths = sorted({path for pattern in KEPT_FILES for path in folder.glob(pattern)})
    return {
        path.relative_to(folder).as_posix(): digest_file(path) for path in paths if path.is_file()
    }


def check_files(folder: Path, files: Mapping[str, str]) -> None:
    """Raise an `InputError` that names every file that is missing or not what it was.

    Args:
        files: file to its digest; an empty digest asks for the file alone.
    """
    problems = []
    for name, expected in files.items():
        path = folder / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            problems.append(f"{folder}: its files should lie in the folder. Found `{name}`.")
        elif not path.is_file():
            problems.append(f"{path}: the file does not exist.")
        elif expected and digest_file(path) != expected:
            problems.append(_altered(path))
    raise_problems(problems)


class BusyError(RelevanceError):
    """Another process is doing a run."""


class RunStore:
    """The folder of runs: a cache keyed by what decides the numbers.

    >>> store = RunStore(Path("relevance-out/runs"))
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, spec: RunSpec) -> Path:
        """Return the run's folder (which may not exist yet)."""
        return self.folder / spec.run_id

    @contextmanager
    def locked(self, spec: RunSpec, *, waits: bool = True) -> Iterator[Path]:
        """Hold the run's lock, and its mark, which says that a process is at it.

        The lock dies with its process; the mark stays, and tells that the run was cut off.

        Args:
            waits: wait while another process holds the lock.

        Raises:
            BusyError: if another process holds it and this one is not to wait.
        """
        path = self.path(spec)
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / ".lock")
        try:
            lock.acquire(timeout=-1 if waits else 0)
        except Timeout:
            raise BusyError(f"Run `{spec.run_id}` is being done by another process.") from None
        try:
            for part in path.rglob("*.part"):  # of a write that a kill cut off
                part.unlink(missing_ok=True)
            self.mark(spec)
            yield path
        finally:
            try:
                self.unmark(spec)
            finally:
                lock.release()

    def mark(self, spec: RunSpec) -> None:
        """Write the run's mark: a process is at it, or was when it died."""
        owner = f"{socket.gethostname()} {os.getpid()}"  # for people
        path = self.path(spec) / RUNNING_MARK
        try:
            path.write_text(owner, encoding="utf-8")
        except OSError as error:
            raise WriteError(describe_write(error, path)) from error

    def unmark(self, spec: RunSpec) -> None:
        """Remove the run's mark."""
        (self.path(spec) / RUNNING_MARK).unlink(missing_ok=True)

    def forget_cut_off(self, spec: RunSpec) -> None:
        """Remove the mark of a process that is gone, unless another one is at the run."""
        path = self.path(spec)
        if (path / RUNNING_MARK).exists():
            with contextlib.suppress(Timeout), FileLock(path / ".lock", timeout=0):
                self.unmark(spec)

    def was_cut_off(self, spec: RunSpec) -> bool:
        """Tell whether a process was at the run and is gone: the mark is there, the lock free."""
        path = self.path(spec)
        if not (path / RUNNING_MARK).exists():
            return False
        try:
            with FileLock(path / ".lock", timeout=0):
                return True
        except Timeout:
            return False

    def write_spec(self, spec: RunSpec) -> None:
        """Write `spec.json`."""
        write_document(self.path(spec) / "spec.json", SPEC_SCHEMA, spec)

    def is_done(self, spec: RunSpec, *, with_model: bool = False) -> bool:
        """Tell whether the run has a result (and its model, if that is needed)."""
        path = self.path(spec)
        return (path / "result.json").exists() and (
            not with_model or (path / "model" / "hmnet.json").exists()
        )

    def result(self, spec: RunSpec) -> RunResult:
        """Read the run's result.

        Raises:
            InputError: if the run is not done.
        """
        return read_result(self.path(spec) / "result.json")

    def failure(self, spec: RunSpec) -> RunFailure | None:
        """Read why the run failed last, or None."""
        path = self.path(spec) / "failure.json"
        return read_document(path, FAILURE_SCHEMA, RunFailure) if path.exists() else None

    def write_predictions(self, spec: RunSpec, task: str, predictions: pd.DataFrame) -> None:
        """Write a task's dev predictions.

        Columns: `split`, `row` (in the source's split), `label`, `prediction` (class codes or
        values), `question` (group of answers, -1 where there is none), `logits` (list of floats).
        """
        path = self.path(spec) / "predictions" / f"{task}.parquet"
        write_table(path, predictions, PREDICTIONS_SCHEMA, {"run": spec.run_id})

    def predictions(self, spec: RunSpec, task: str) -> pd.DataFrame:
        """Read a task's dev predictions; see `write_predictions` for the columns.

        Raises:
            InputError: if the file is missing, or is not the one that the run wrote.
        """
        name = f"predictions/{task}.parquet"
        check_files(self.path(spec), {name: self.result(spec).files.get(name, "")})
        return read_table(self.path(spec) / name, PREDICTIONS_SCHEMA)[0]

    def discard(self, run_id: str) -> None:
        """Remove what a run wrote, so that the next command that needs it does it again.

        `result.json` goes first: what is left of a removal that is cut off is an unfinished run.
        """
        path = self.folder / run_id
        with FileLock(path / ".lock"):
            for name in ("result.json", "metrics.jsonl"):
                (path / name).unlink(missing_ok=True)
            for name in ("model", "predictions", "checkpoint"):
                shutil.rmtree(path / name, ignore_errors=True)

    def finish(self, spec: RunSpec, result: RunResult) -> None:
        """Write `result.json`, last of all, and remove what only an unfinished run needs."""
        path = self.path(spec)
        whole = dataclasses.replace(result, files=digest_files(path)).sign()
        write_document(path / "result.json", RESULT_SCHEMA, whole)
        (path / "failure.json").unlink(missing_ok=True)
        shutil.rmtree(path / "checkpoint", ignore_errors=True)

    def fail(self, spec: RunSpec, failure: RunFailure) -> None:
        """Write `failure.json`."""
        write_document(self.path(spec) / "failure.json", FAILURE_SCHEMA, failure)

    def forget_failure(self, spec: RunSpec) -> None:
        """Remove `failure.json`: the run is tried again."""
        (self.path(spec) / "failure.json").unlink(missing_ok=True)

    def find(self, name: str) -> tuple[Path, RunSpec]:
        """Return folder and spec of the run named by its id, a unique prefix of it, or a path.

        Raises:
            InputError: if there is none, or more than one.
        """
        direct = Path(name)
        found = [direct] if (direct / "spec.json").exists() else []
        if not found and self.folder.is_dir():
            found = [p for p in sorted(self.folder.iterdir()) if p.name.startswith(name)]
            found = [p for p in found if (p / "spec.json").exists()]
        if len(found) != 1:
            listed = ", ".join(p.name for p in found[:5]) or "none"
            raise InputError(
                f"Parameter `run` should name one run in {self.folder}, by its id or its folder. "
                f"Found `{name}`, which fits: {listed}."
            )
        return found[0], read_document(found[0] / "spec.json", SPEC_SCHEMA, RunSpec)
