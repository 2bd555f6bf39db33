"""Two hosts on one folder: namespaces of their own, with other names and the same process ids."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tiny_study import write_study

from hmnet.folder.outputs import Output
from hmnet.folder.status import describe_status
from hmnet.runs.store import RUNNING_MARK

RUNS = 3
HOST = ("--uts", "--net", "--pid", "--fork", "--mount-proc", "--kill-child")
SWEEP = ("-c", "from relevance.cli import main; main()", "pairwise", "--workers", "1")

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def unshare() -> tuple[str, ...]:
    """The words before a command that runs on a host of its own, whose name comes first."""
    for rights in ((), ("--user", "--map-root-user")):
        words = ("unshare", *rights, *HOST, "sh", "-c", 'hostname "$0" && exec "$@"')
        try:
            if subprocess.run([*words, "a", "true"], capture_output=True).returncode == 0:
                return words
        except FileNotFoundError:
            break
    pytest.skip("hosts cannot be made here: `unshare` is not permitted")


@pytest.fixture
def start(unshare: tuple[str, ...], study: Path) -> Iterator[Start]:
    """Start a sweep on a host; what still runs in the end is killed."""
    begun: list[subprocess.Popen[str]] = []

    def start(host: str, out: Path, *more: str) -> subprocess.Popen[str]:
        words = [*SWEEP, "--study", str(study), "--tasks", "tone,match", "--out", str(out), *more]
        process = subprocess.Popen(
            [*unshare, host, sys.executable, *words],
            text=True,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


def wait_for(what: Callable[[], object]) -> None:
    """Return as soon as something is so."""
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline, "it did not come about in 120 s"
        time.sleep(0.02)


@pytest.mark.slow
def test_two_hosts_share_the_runs_and_one_goes_on_where_the_other_is_killed(
    start: Start, tmp_path: Path
) -> None:
    out = Output(tmp_path / "out")
    both = [start(host, out.folder, "--log", "tensorboard") for host in ("a", "b")]
    said = [process.communicate(timeout=240)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    # every execution of a run opens a log of its own
    logs = Counter(path.parent.name for path in (out.folder / "logs").rglob("events*"))
    assert list(logs.values()) == [1] * RUNS
    assert not list(out.folder.rglob("*.part"))

    alone = Output(tmp_path / "alone")
    said.append(start("c", alone.folder).communicate(timeout=240)[1])

    other = Output(tmp_path / "other")
    doomed = start("a", other.folder)
    wait_for(lambda: list(other.runs.folder.glob(f"*/{RUNNING_MARK}")))
    os.killpg(doomed.pid, signal.SIGSTOP)  # in a run, whose lock it holds
    (mark,) = other.runs.folder.glob(f"*/{RUNNING_MARK}")
    assert mark.read_text().startswith("a ")
    lines = list(describe_status(other))
    assert "on a, which cannot be looked at from here" in "\n".join(lines)
    assert lines[-1].startswith("next: look on a")

    following = start("b", other.folder)
    wait_for(lambda: len(list(other.runs.folder.glob("*/result.json"))) == RUNS - 1)
    time.sleep(0.5)
    assert following.poll() is None  # it waits for the run of the other
    assert not (mark.parent / "result.json").exists()
    os.killpg(doomed.pid, signal.SIGKILL)
    doomed.communicate()
    last = following.communicate(timeout=240)[1]
    assert following.returncode == 0, last
    for name in ("pairwise", "scores"):
        expected = getattr(alone, name).read_bytes()
        assert getattr(out, name).read_bytes() == expected, said
        assert getattr(other, name).read_bytes() == expected, last
