"""The store of runs: a folder for each, found again by what decides its numbers.

    runs/<readable prefix>-<10 hex>/
        spec.json                    the whole `RunSpec`
        metrics.jsonl                loss curve, a line per step that was logged
        predictions/<task>.parquet   a row per dev example
        stopping.json                which epoch each task stopped at, where they do
        held-out.json                scores on training rows that are held out for choosing
        lessons/<task>.safetensors   what it predicts on training rows, for runs that learn from it
        model/                       only where it was asked for
        result.json                  written last: its presence means done
        failure.json                 in place of it where the run failed
        .again/<run>/                a done run done again (for its model), until it is swapped in

The ten digits hash the `RunSpec` without `NOT_IDENTITY`, so a run is found again whoever asks and
wherever it ran.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from filelock import FileLock, Timeout

from hmnet.errors import InputError, RelevanceError, WriteError, describe_write
from hmnet.runs.held_out_scores import HELD_OUT_FILE, read_held_out
from hmnet.runs.late_losses import read_late_losses
from hmnet.runs.result import (
    FAILURE_SCHEMA,
    RESULT_SCHEMA,
    RunFailure,
    RunResult,
    check_files,
    digest_files,
    read_result,
)
from hmnet.runs.spec import SPEC_SCHEMA, RunSpec, read_spec
from hmnet.runs.stopping_record import STOPPING_FILE
from hmnet.storage.documents import read_document, to_plain, write_document
from hmnet.storage.tables import read_table, write_table
from hmnet.study.tasks import to_plain_task

if TYPE_CHECKING:
    import pandas as pd

PREDICTIONS_SCHEMA = "predictions/1"
AGAIN = ".again"
"""Folder in a done run's folder, in which the run is done again."""
RUNNING_MARK = ".running"
"""File in the folder of a run that a worker has begun."""


_Stamp: TypeAlias = tuple[int, int, int]


class BusyError(RelevanceError):
    """Another process is doing a run."""


class RunStore:
    """The folder of runs: a cache keyed by what decides the numbers.

    >>> store = RunStore(Path("relevance-out/runs"))
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, tuple[_Stamp, RunResult]] = {}

    def path(self, spec: RunSpec) -> Path:
        """Return the run's folder (which may not exist yet)."""
        return self.folder / spec.run_id

    @contextmanager
    def locked(self, spec: RunSpec, *, waits: bool = True) -> Iterator[Path]:
        """Hold the run's lock, and its mark, which says that a process is at work on it.

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
        tasks = [to_plain_task(task) for task in spec.tasks]
        plain = {**to_plain(spec), "tasks": tasks}
        write_document(self.path(spec) / "spec.json", SPEC_SCHEMA, plain)

    def is_done(self, spec: RunSpec, *, with_model: bool = False) -> bool:
        """Tell whether the run has a result (and its model, if that is needed)."""
        path = self.path(spec)
        return (path / "result.json").exists() and (
            not with_model or (path / "model" / "hmnet.json").exists()
        )

    def result(self, spec: RunSpec) -> RunResult:
        """Return the run's result, read and digested anew only where the file is another one.

        Raises:
            InputError: if the run is not done, or its result is not as the run wrote it.
        """
        path = self.path(spec) / "result.json"
        stamp = _stamp(path)
        if path not in self._read or self._read[path][0] != stamp:
            self._read[path] = stamp, read_result(path)
        return self._read[path][1]

    def late_losses(self, spec: RunSpec) -> dict[str, float]:
        """Return task to its mean training loss over its last steps (`LATE_FRAC` of an epoch's).

        A task without any in `metrics.jsonl` has that of its last epoch.

        Raises:
            InputError: if the run is not done, or its file of losses is not as the run wrote it.
        """
        result, name = self.result(spec), "metrics.jsonl"
        if name not in result.files:
            return dict(result.final_loss)
        check_files(self.path(spec), {name: result.files[name]})
        return {**result.final_loss, **read_late_losses(self.path(spec) / name)}

    def held_out(self, spec: RunSpec) -> Mapping[str, float]:
        """Return task to a done run's score on rows held out for choosing; none without such rows.

        Raises:
            InputError: if the run is not done, or its file of scores is not as the run wrote it.
        """
        files = {n: d for n, d in self.result(spec).files.items() if n == HELD_OUT_FILE}
        check_files(self.path(spec), files)
        return read_held_out(self.path(spec)) if files else {}

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

    def discard(self, run_id: str, is_damaged: Callable[[Path], bool] | None = None) -> bool:
        """Remove what a run wrote, so that the next command that needs it does it again.

        `result.json` goes first: what is left of a removal that is cut off is an unfinished run.

        Args:
            is_damaged: asked under the run's lock, for it may have been done again by now; None
                for no question.

        Returns:
            Whether it was removed.
        """
        path = self.folder / run_id
        with FileLock(path / ".lock"):
            if is_damaged is not None and not is_damaged(path):
                return False
            for name in ("result.json", "metrics.jsonl", STOPPING_FILE, HELD_OUT_FILE):
                (path / name).unlink(missing_ok=True)
            for name in ("model", "predictions", "checkpoint", AGAIN):
                shutil.rmtree(path / name, ignore_errors=True)
            return True

    def remove(self, run_id: str) -> None:
        """Remove a run's folder; `result.json` goes first, as in `discard`.

        Raises:
            BusyError: if a process is at it.
        """
        path = self.folder / run_id
        lock = FileLock(path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BusyError(f"Run `{run_id}` is being done by another process.") from None
        try:
            (path / "result.json").unlink(missing_ok=True)
            shutil.rmtree(path, ignore_errors=True)
        finally:
            lock.release()
        shutil.rmtree(path, ignore_errors=True)  # the lock's file, where its removal had to wait

    def beside(self, spec: RunSpec) -> RunStore:
        """Return the store in which a done run is done again; the run stays whole meanwhile."""
        return RunStore(self.path(spec) / AGAIN)

    def adopt(self, spec: RunSpec) -> None:
        """Swap in a finished run of `beside`; cut off, it leaves an unfinished run."""
        own, new = self.path(spec), self.beside(spec).path(spec)
        (own / "result.json").unlink(missing_ok=True)
        for name in ("predictions", "model"):
            shutil.rmtree(own / name, ignore_errors=True)
        files = ("spec.json", "metrics.jsonl", STOPPING_FILE, HELD_OUT_FILE)
        for name in (*files, "predictions", "model", "result.json"):
            if (new / name).exists():
                (new / name).replace(own / name)
        (own / "failure.json").unlink(missing_ok=True)
        shutil.rmtree(own / AGAIN, ignore_errors=True)

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

        A run that is not done is passed over where the name fits one that is.

        Raises:
            InputError: if there is none, or more than one; it says what each is.
        """
        direct = Path(name)
        found = [direct] if (direct / "spec.json").exists() else []
        if not found and self.folder.is_dir():
            found = [p for p in sorted(self.folder.iterdir()) if p.name.startswith(name)]
            found = [p for p in found if (p / "spec.json").exists()]
            found = [p for p in found if (p / "result.json").exists()] or found
        if len(found) != 1:
            listed = "; ".join(_describe_candidate(path) for path in found[:8]) or "none"
            more = f"; and {len(found) - 8} more" if len(found) > 8 else ""
            raise InputError(
                f"Parameter `run` should name one run in {self.folder}, by its id or its folder. "
                f"Found `{name}`, which fits: {listed}{more}."
            )
        return found[0], read_spec(found[0] / "spec.json")


def _describe_candidate(path: Path) -> str:
    """Return a run's id, and what tells it from others whose ids begin alike."""
    try:
        design = read_spec(path / "spec.json").describe()
    except InputError:
        design = "unreadable"
    kept = ", with its model" if (path / "model" / "hmnet.json").exists() else ""
    state = "" if (path / "result.json").exists() else ", not done"
    return f"{path.name} ({design}{kept}{state})"


def _stamp(path: Path) -> _Stamp:
    """Return what changes when a file is written: its number, size and time; zeros for none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_size, found.st_mtime_ns
