"""Disks that are full, broken or closed to us: an error in words, and nothing half written."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from tiny_study import list_pairwise, runs_in_this_process, write_study

from hmnet.errors import WriteError
from hmnet.folder.integrity import verify
from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import prepare_study
from hmnet.runs.job import Job, Machine
from hmnet.runs.store import RunStore
from hmnet.storage import replacing as files
from hmnet.storage.files import write_bytes
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.study import load_study
from hmnet.training.execution import execute
from relevance.cli import app

CALLS = ("mkstemp", "write", "fsync", "replace")
KINDS = (errno.ENOSPC, errno.EIO, errno.EACCES)


class Fault:
    """Lets the n-th call of one kind fail."""

    def __init__(self, call: str, number: int, at: int) -> None:
        self.call, self.number, self.at = call, number, at
        self.seen = 0

    def check(self, call: str) -> None:
        if call == self.call:
            self.seen += 1
            if self.seen == self.at:
                raise OSError(self.number, os.strerror(self.number))


def inject(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    """Make the calls of `write_bytes` go through a fault."""
    fdopen, replace = os.fdopen, Path.replace

    def open_faulty(handle: int, mode: str) -> Any:
        file = fdopen(handle, mode)
        return _Faulty(file, fault)

    def guard(call: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            fault.check(call)
            return original(*args, **kwargs)

        return run

    monkeypatch.setattr(files.os, "fdopen", open_faulty)
    monkeypatch.setattr(files.os, "fsync", guard("fsync", os.fsync))
    monkeypatch.setattr(files.tempfile, "mkstemp", guard("mkstemp", files.tempfile.mkstemp))
    monkeypatch.setattr(Path, "replace", guard("replace", replace))


class _Faulty:
    """A file whose writes go through a fault; half of what is written arrives."""

    def __init__(self, file: Any, fault: Fault) -> None:
        self.file, self.fault = file, fault

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.file.close()

    def write(self, content: bytes) -> None:
        self.file.write(content[: len(content) // 2])
        self.fault.check("write")
        self.file.write(content[len(content) // 2 :])

    def read(self, most: int) -> bytes:
        return bytes(self.file.read(most))

    def flush(self) -> None:
        self.file.flush()

    def fileno(self) -> int:
        return int(self.file.fileno())


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("number", KINDS)
def test_a_failed_write_keeps_what_was_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: str, number: int
) -> None:
    path = tmp_path / "matrix.parquet"
    write_bytes(path, b"before")
    with monkeypatch.context() as patch:
        inject(patch, Fault(call, number, at=1))
        with pytest.raises(WriteError, match=rf"matrix\.parquet.*{os.strerror(number)}"):
            write_bytes(path, b"after, and longer")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
    write_bytes(path, b"after")
    assert path.read_bytes() == b"after"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def job(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    loaded = load_study(study, {"tasks": ["tone", "match"], "training.epochs": 1})
    prepared = prepare_study(loaded, tmp_path_factory.mktemp("data"))
    return prepared.make_job(["tone", "match"], HierarchySpec(3, 0, 0), [["tone", "match"]], 0)


def read_all(store: RunStore, job: Job) -> dict[str, bytes]:
    """Return the files of a run that are the same however often it was begun."""
    folder = store.path(job.spec)
    files = [*folder.glob("predictions/*"), folder / "metrics.jsonl", folder / "spec.json"]
    return {path.name: path.read_bytes() for path in files}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("number", KINDS)
def test_a_run_whose_writes_fail_is_not_done_and_goes_on_later(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, job: Job, call: str, number: int
) -> None:
    machine = Machine(checkpoint_s=0.0)
    whole = RunStore(tmp_path / "whole")
    count = Fault(call, number, at=-1)
    with monkeypatch.context() as patch:
        inject(patch, count)
        execute(job, whole, machine)
    assert count.seen >= 12  # spec, losses, 12 checkpoints, predictions, result
    for at in (1, count.seen // 2, count.seen):
        store = RunStore(tmp_path / f"at-{at}")
        with monkeypatch.context() as patch:
            inject(patch, Fault(call, number, at))
            with pytest.raises(WriteError):
                execute(job, store, machine)
        assert not store.is_done(job.spec)
        execute(job, store, machine)
        assert read_all(store, job) == read_all(whole, job)


def list_words(study: Path, out: Path) -> list[str]:
    return list_pairwise(study, out, "--workers", "1", "--set", "training.epochs=2")


def sweep(study: Path, out: Path) -> subprocess.CompletedProcess[str]:
    code = "from relevance.cli import main; main()"
    command = [sys.executable, "-c", code, *list_words(study, out)]
    return subprocess.run(command, text=True, capture_output=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 120 kB; skipped where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=120k", "tmpfs", str(folder)]
    if mount is None or subprocess.run([mount, *options], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.system
def test_a_full_disk_ends_in_words_and_the_sweep_goes_on_when_there_is_room(
    study: Path, small_disk: Path
) -> None:
    out = Output(small_disk / "out")
    full = sweep(study, out.folder)
    assert full.returncode == 1
    assert "No space left on device" in full.stderr
    assert "Traceback" not in full.stderr
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    with runs_in_this_process():
        app(list_words(study, out.folder), standalone_mode=False)
    assert list(verify(out)) == []


@pytest.mark.parametrize("number", KINDS)
@pytest.mark.parametrize("name", [".running", "metrics.jsonl"])
def test_a_mark_or_a_loss_that_cannot_be_written_names_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, job: Job, name: str, number: int
) -> None:
    whole, store = RunStore(tmp_path / "whole"), RunStore(tmp_path / "runs")
    execute(job, whole, Machine())
    plain = Path.open

    def fail(path: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if path.name == name and mode in "aw":
            raise OSError(number, os.strerror(number), str(path))
        return plain(path, mode, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", fail)
        with pytest.raises(WriteError, match=rf"{re.escape(name)}.*{os.strerror(number)}"):
            execute(job, store, Machine())
    assert not store.is_done(job.spec)
    execute(job, store, Machine())
    assert read_all(store, job) == read_all(whole, job)


def test_a_disk_that_cannot_be_written_is_one_sentence(study: Path, small_disk: Path) -> None:
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    if subprocess.run(remount, capture_output=True).returncode:
        pytest.skip("no file system can be made read-only here")
    ended = sweep(study, small_disk / "out")
    assert ended.returncode == 2
    assert "Read-only file system" in ended.stderr
    assert "Traceback" not in ended.stderr
