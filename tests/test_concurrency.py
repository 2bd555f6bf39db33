"""Two commands on one output folder, and commands that die while others wait for them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from tiny_study import list_pairwise, runs_in_this_process, write_study
from warm import Command

from hmnet.folder.outputs import Output
from hmnet.folder.status import describe_status
from hmnet.jobs.progress_file import ProgressRecord, claim_record, list_records
from hmnet.runs.store import BusyError, RunStore
from relevance.cli import app

RUNS = 3


def start(out: Path, study: Path, *more: str) -> Command:
    """Start a sweep as a process group of its own."""
    return Command("relevance", *list_pairwise(study, out, *more), is_leader=True)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def alone(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Output:
    """A sweep that nothing disturbed."""
    out = tmp_path_factory.mktemp("alone") / "out"
    with runs_in_this_process():
        app(list_pairwise(study, out), standalone_mode=False)
    return Output(out)


@pytest.mark.system
def test_two_sweeps_on_one_folder_share_the_runs(
    study: Path, alone: Output, tmp_path: Path
) -> None:
    out = Output(tmp_path / "out")
    both = [start(out.folder, study, "--log", "tensorboard") for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    # every execution of a run opens a log of its own
    logs = Counter(path.parent.name for path in (out.folder / "logs").rglob("events*"))
    assert list(logs.values()) == [1] * RUNS
    assert out.pairwise.read_bytes() == alone.pairwise.read_bytes()
    assert out.scores.read_bytes() == alone.scores.read_bytes()
    assert not list(out.folder.rglob("*.part"))


@pytest.mark.slow
def test_a_sweep_finishes_what_another_was_killed_at(
    study: Path, alone: Output, tmp_path: Path
) -> None:
    out = Output(tmp_path / "out")
    doomed = start(out.folder, study)
    deadline = time.monotonic() + 120
    while not list(out.folder.glob("runs/*/.running")) and time.monotonic() < deadline:
        time.sleep(0.02)
    other = start(out.folder, study)
    time.sleep(1.0)
    os.killpg(doomed.pid, signal.SIGKILL)
    doomed.communicate()
    said = other.communicate()[1]
    assert other.returncode == 0, said
    assert out.pairwise.read_bytes() == alone.pairwise.read_bytes()


def test_a_run_of_another_process_is_busy_unless_one_waits(alone: Output) -> None:
    store = RunStore(alone.runs.folder)
    spec = store.find(next(store.folder.iterdir()).name)[1]
    code = (
        "import sys, time; from pathlib import Path; from hmnet.runs.store import RunStore\n"
        "store = RunStore(Path(sys.argv[1])); spec = store.find(sys.argv[2])[1]\n"
        "with store.locked(spec): print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(store.folder), spec.run_id]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(BusyError), store.locked(spec, waits=False):
        pass
    assert not store.was_cut_off(spec)
    holder.kill()
    holder.communicate()
    assert store.was_cut_off(spec)
    with store.locked(spec):
        pass
    assert not store.was_cut_off(spec)


def test_sweeps_at_the_same_time_record_their_progress_apart(tmp_path: Path) -> None:
    output = Output(tmp_path)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        write_record(output.progress, other.pid)
        own = claim_record(output.progress)
        assert own != output.progress
        ProgressRecord(total=7, cached=0).write(own)
        text = "\n".join(describe_status(output))
        assert "last sweep: 1 of 9 runs done" in text
        assert "last sweep: 0 of 7 runs done" in text
    finally:
        other.communicate(b"\n")
    assert claim_record(output.progress) == output.progress  # nobody writes it any more
    write_record(own, other.pid)
    claim_record(output.progress)
    assert list_records(output.progress) == [output.progress]  # what was left beside it is gone


def write_record(path: Path, pid: int) -> None:
    """Write the record of another process of this host."""
    ProgressRecord(total=9, cached=0, done=1).write(path)
    path.write_text(path.read_text().replace(f'"pid": {os.getpid()}', f'"pid": {pid}'))
