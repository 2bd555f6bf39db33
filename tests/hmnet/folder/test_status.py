"""`relevance status`: true while a sweep runs, after it is over, and after it was killed."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hmnet.folder.outputs import Output, open_output
from hmnet.folder.status import StageFile, describe_status, find_states
from hmnet.jobs.progress_file import PROGRESS_SCHEMA, ProgressRecord
from hmnet.jobs.progress_line import SweepProgress
from hmnet.jobs.worker_process import Outcome
from hmnet.runs.result import FAILURE_SCHEMA, RunFailure
from hmnet.runs.store import RUNNING_MARK
from hmnet.storage.documents import write_document


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return open_output(tmp_path / "out")


def say(output: Output) -> str:
    return "\n".join(describe_status(output, list_matrices(output)))


def list_matrices(output: Output) -> list[StageFile]:
    return [
        StageFile(output.vocab, "relevance vocab"),
        StageFile(output.pairwise, "relevance pairwise"),
        StageFile(output.matrix("size"), "relevance measure size", is_optional=True),
    ]


def make_run(output: Output, name: str, *files: str) -> Path:
    folder = output.runs.folder / name
    folder.mkdir(parents=True)
    for file in ("spec.json", *files):
        (folder / file).touch()
    return folder


def find_ended_pid() -> int:
    """Return the number of a process that has been and gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_an_empty_folder_names_the_commands_that_fill_it(output: Output) -> None:
    text = say(output)
    assert "not yet: relevance pairwise" in text
    assert "0 done, 0 begun, 0 failed, 0 unfinished" in text
    assert "last sweep" not in text


def test_an_optional_stage_is_named_where_it_is_there(output: Output) -> None:
    assert "size.parquet" not in say(output)
    output.matrix("size").touch()
    assert "size.parquet      written 20" in say(output)  # as wide as pairwise.parquet
    for path in (output.vocab, output.pairwise, output.groups, output.compare, output.report):
        path.touch()
    os.utime(output.report, (1, 1))
    os.utime(output.matrix("size"), (2, 2))
    for path in (output.vocab, output.pairwise, output.groups, output.compare):
        os.utime(path, (1, 1))
    assert say(output).endswith("(the report is older than the numbers)")


def test_runs_are_sorted_by_what_their_folders_hold(output: Output) -> None:
    make_run(output, "a-done", "result.json")
    make_run(output, "b-begun", RUNNING_MARK)
    make_run(output, "c-left")
    failed = make_run(output, "d-failed")
    write_document(failed / "failure.json", FAILURE_SCHEMA, RunFailure("The loss is not finite."))
    (output.runs.folder / "not-a-run").mkdir()
    states = find_states(output.runs.folder)
    assert (states.done, states.running) == (("a-done",), ("b-begun",))
    assert (states.unfinished, states.failed) == (("c-left",), ("d-failed",))
    assert "failed: d-failed: The loss is not finite." in say(output)


def test_a_sweep_under_way_is_counted(output: Output) -> None:
    stream = io.StringIO()
    progress = SweepProgress(output.progress, stream)
    progress.start(total=10, cached=4, total_cost=6.0)
    assert "last sweep: 4 of 10 runs done" in say(output)
    progress.recorded -= 10  # the record is written at most once a second
    progress.finish(Outcome("one", "done", train_tokens=1000), cost=1.0)
    record = ProgressRecord.read(output.progress)
    assert (record.done, record.failed, record.is_over) == (1, 0, False)
    assert record.is_alive()
    assert record.tokens_per_s > 0
    assert record.seconds_left is not None
    assert "last sweep: 5 of 10 runs done" in say(output)
    progress.finish(Outcome("two", "failed", error="no memory"), cost=1.0)
    progress.stop()
    assert not ProgressRecord.read(output.progress).is_over  # four runs have not ended
    assert "1 failed" in say(output)
    assert "failed: two: no memory" in stream.getvalue()


def test_a_sweep_that_ended_is_over(output: Output) -> None:
    progress = SweepProgress(output.progress, io.StringIO())
    progress.start(total=1, cached=0, total_cost=1.0)
    progress.finish(Outcome("one", "done"), cost=1.0)
    progress.stop()
    assert "last sweep: 1 of 1 runs done; it is over" in say(output)


def test_a_killed_sweep_is_told_from_one_that_runs(output: Output) -> None:
    ProgressRecord(total=9, cached=0, done=3).write(output.progress)
    record = ProgressRecord.read(output.progress)
    killed = replace(record, pid=find_ended_pid())
    assert record.is_alive() is True
    assert killed.is_alive() is False
    write_document(output.progress, PROGRESS_SCHEMA, killed)
    assert f"process {killed.pid} is gone: the same command goes on" in say(output)
    elsewhere = replace(killed, host="another-host")
    assert elsewhere.is_alive() is None
    write_document(output.progress, PROGRESS_SCHEMA, elsewhere)
    said = say(output)
    assert f"process {killed.pid} on another-host, which cannot be looked at from here" in said
    assert "is gone" not in said
    assert "was stopped" not in said
    assert said.splitlines()[-1].startswith("next: look on another-host; where the sweep has stop")
    silent = time.time() - 2 * 3600
    os.utime(output.progress, (silent, silent))
    assert "nothing was said for 2 h 0 min" in say(output)


def test_a_sweep_that_may_run_on_another_host_comes_before_one_that_is_over(
    output: Output,
) -> None:
    ProgressRecord(total=9, cached=0, is_over=True).write(output.progress)
    beside = output.progress.with_name("progress-another-host-7.json")
    other = ProgressRecord(total=7, cached=0, host="another-host", pid=7)
    write_document(beside, PROGRESS_SCHEMA, other)
    assert say(output).splitlines()[-1].startswith("next: look on another-host")
    os.utime(beside, (1, 1))
    assert not say(output).splitlines()[-1].startswith("next: look on another-host")


def test_what_to_do_next_follows_from_what_is_there(output: Output) -> None:
    def find_next() -> str:
        return say(output).splitlines()[-1]

    folder = output.folder
    assert find_next() == f"next: relevance vocab --out {folder}"
    for path in (output.vocab, output.pairwise, output.groups, output.compare):
        path.touch()
    assert find_next() == f"next: relevance report --out {folder}"
    output.report.touch()
    os.utime(output.report, (1, 1))
    assert find_next().endswith("(the report is older than the numbers)")
    os.utime(output.report)
    assert find_next() == f"next: open {output.report}"
    make_run(output, "d-failed", "failure.json")
    assert find_next() == "next: the same command again (tries the failed runs again)"
    ProgressRecord(total=9, cached=0, done=3).write(output.progress)
    assert find_next() == "next: wait; the sweep is running"
    record = replace(ProgressRecord.read(output.progress), pid=find_ended_pid(), command="hmnet x")
    write_document(output.progress, PROGRESS_SCHEMA, record)
    assert find_next() == "next: hmnet x (goes on where the sweep was stopped)"


def test_marks_of_a_killed_sweep_are_no_runs_under_way(output: Output) -> None:
    make_run(output, "b-begun", RUNNING_MARK)
    ProgressRecord(total=9, cached=1, done=3, failed=1).write(output.progress)
    assert "under way: b-begun" in say(output)
    assert "4 of 9 runs done, 1 failed, 4 to come" in say(output)
    record = replace(ProgressRecord.read(output.progress), pid=find_ended_pid())
    write_document(output.progress, PROGRESS_SCHEMA, record)
    assert "cut off: b-begun" in say(output)


def test_a_training_that_is_no_sweep_is_under_way_as_long_as_its_process_lives(
    output: Output,
) -> None:
    ProgressRecord(total=9, cached=0, done=9, is_over=True).write(output.progress)
    folder = make_run(output, "a-train")
    mark = folder / RUNNING_MARK
    mark.write_text(f"{socket.gethostname()} {os.getpid()}")
    assert "under way: a-train" in say(output)
    mark.write_text(f"{socket.gethostname()} {find_ended_pid()}")
    assert "cut off: a-train" in say(output)
    output.progress.unlink()
    assert "cut off: a-train" in say(output)


def test_time_left_runs_on_after_the_record_was_written(output: Output) -> None:
    ProgressRecord(total=9, cached=0, done=3, seconds_left=1000.0).write(output.progress)
    assert "about 16 min 40 s left" in say(output)
    written = time.time() - 940  # of 1000 s, 60 are left
    os.utime(output.progress, (written, written))
    assert "about 1 min 0 s left" in say(output)


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["/x/bin/relevance", "pairwise", "--out", "a b"], "relevance pairwise --out 'a b'"),
        (["/x/hmnet/__main__.py", "compare"], "hmnet compare"),
        (["/x/bin/pytest"], ""),
    ],
)
def test_the_command_is_recorded_as_it_was_typed(
    output: Output, monkeypatch: pytest.MonkeyPatch, argv: list[str], command: str
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    ProgressRecord(total=1, cached=0).write(output.progress)
    assert ProgressRecord.read(output.progress).command == command


def test_a_reason_is_one_line_and_no_escape_of_a_terminal(output: Output) -> None:
    failed = make_run(output, "d-failed")
    error = "first line\n\x1b]0;owned\x07" + 100 * "x"
    write_document(failed / "failure.json", FAILURE_SCHEMA, RunFailure(error))
    make_run(output, "e-broken", "failure.json")
    lines = say(output).splitlines()
    assert all(line.isprintable() for line in lines)
    (told,) = (line for line in lines if line.startswith("failed: d-failed"))
    assert told.startswith("failed: d-failed: first line ")
    assert len(told) <= len("failed: d-failed: ") + 80
    assert any(line.startswith("failed: e-broken: ") for line in lines)


def test_a_record_of_a_sweep_gives_a_terminal_no_command(output: Output) -> None:
    odd = "a\x1b]0;owned\x07\nnext: do harm"
    write_document(output.progress, PROGRESS_SCHEMA, ProgressRecord(9, 0, host=odd, command=odd))
    lines = say(output).splitlines()
    assert all(line.isprintable() for line in lines)
    assert len([line for line in lines if line.startswith("next: ")]) == 1


def test_a_record_of_another_version_is_passed_over(output: Output) -> None:
    output.progress.write_text('{"schema": "progress/99"}')
    assert "last sweep" not in say(output)


def test_a_terminal_gets_one_live_line(output: Output) -> None:
    stream = io.StringIO()
    progress = SweepProgress(output.progress, stream)
    progress.console = Console(file=stream, force_terminal=True, width=100)
    progress.start(total=2, cached=0, total_cost=2.0)
    progress.finish(Outcome("one", "done", train_tokens=10), cost=1.0)
    progress.finish(Outcome("two", "done", train_tokens=10), cost=1.0)
    progress.stop()
    assert "2 of 2 runs done" in stream.getvalue()
