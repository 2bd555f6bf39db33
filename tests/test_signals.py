"""A sweep that is interrupted, terminated or orphaned ends at once, says how to go on, goes on."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from tiny_study import list_pairwise, runs_in_this_process, write_study
from warm import Command

from relevance.cli import app

PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


def list_words(study: Path, out: Path, workers: int, epochs: int) -> list[str]:
    epochs_set = ("--set", f"training.epochs={epochs}")
    return list_pairwise(study, out, "--workers", workers, *epochs_set)


def start(study: Path, out: Path, workers: int, epochs: int) -> Command:
    """Start a sweep as a group of its own, as a terminal does; its workers are in it."""
    words = list_words(study, out, workers, epochs)
    return Command("relevance", *words, is_leader=True, has_workers=True)


def wait_for_steps(out: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not list(out.glob("runs/*/metrics.jsonl")):
        assert time.monotonic() < deadline, "no run began"
        time.sleep(0.05)


def wait_until_gone(group: int) -> float:
    """Return the seconds until no process of a group is left."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return time.monotonic() - began
        time.sleep(0.05)
    raise AssertionError("processes are left")


@pytest.mark.system
@pytest.mark.parametrize(
    ("number", "to_group", "workers", "code"),
    [
        (signal.SIGINT, True, 2, 130),  # Ctrl-C reaches every process of the terminal
        (signal.SIGTERM, False, 1, 143),
    ],
)
def test_a_stopped_sweep_ends_at_once_and_says_how_to_go_on(
    study: Path, tmp_path: Path, number: signal.Signals, to_group: bool, workers: int, code: int
) -> None:
    sweep = start(study, tmp_path / "out", workers, epochs=5000)
    wait_for_steps(tmp_path / "out")
    (os.killpg if to_group else os.kill)(sweep.pid, number)
    said = sweep.communicate(timeout=PATIENCE_S)[1]
    assert sweep.returncode == code
    assert "stopped; the same command goes on from what is finished" in said
    assert "Traceback" not in said
    assert wait_until_gone(sweep.pid) < 20
    assert not list((tmp_path / "out").glob("runs/*/result.json"))


@pytest.mark.system
def test_workers_end_with_a_command_that_is_killed_and_it_goes_on(
    study: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    sweep = start(study, out, 2, epochs=30)
    wait_for_steps(out)
    os.kill(sweep.pid, signal.SIGKILL)  # the command alone, not its workers
    sweep.communicate(timeout=PATIENCE_S)
    assert wait_until_gone(sweep.pid) < 20
    with runs_in_this_process():
        app(list_words(study, out, 2, epochs=30), standalone_mode=False)
    assert len(list(out.glob("runs/*/result.json"))) == 3
