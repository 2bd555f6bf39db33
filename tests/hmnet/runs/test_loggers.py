"""Loggers watch a run and change nothing of it."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from tiny_study import write_study

from hmnet.errors import InputError
from hmnet.folder.outputs import Output, open_output
from hmnet.jobs.prepared import PreparedStudy, prepare_study
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Machine
from hmnet.runs.loggers import check_loggers
from hmnet.study.study import load_study
from hmnet.training.execution import execute


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedStudy:
    folder = tmp_path_factory.mktemp("study")
    return prepare_study(load_study(write_study(folder)), folder / "data-out")


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return open_output(tmp_path / "out")


def test_an_unknown_logger_is_refused() -> None:
    with pytest.raises(InputError, match=r"`log` should be tensorboard or wandb. Found `tensor"):
        check_loggers(["tensorbord"])


def test_a_logger_that_is_not_installed_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InputError, match=r"pip install 'task-relevance\[wandb\]'"):
        Workers.choose(workers=1, loggers=["wandb"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TensorBoard's own imports
def test_tensorboard_holds_the_losses_and_scores_of_the_run(
    prepared: PreparedStudy, output: Output
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    job = prepared.single("tone", 0)
    result = execute(job, output.runs, Machine(loggers=("tensorboard",)))
    events = EventAccumulator(
        str(output.folder / "logs" / "tensorboard" / job.spec.run_id), size_guidance={"scalars": 0}
    )
    events.Reload()
    losses = events.Scalars("loss/tone")
    assert [event.step for event in losses] == list(range(result.steps))
    (score,) = events.Scalars("accuracy/tone/validation")
    assert score.value == pytest.approx(result.scores["tone"]["validation"]["accuracy"])


def test_wandb_gets_the_run_under_its_own_id(
    prepared: PreparedStudy, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = FakeRun()
    fake: Any = types.ModuleType("wandb")
    fake.Settings = lambda: types.SimpleNamespace(project=None)
    fake.init = run.begin
    monkeypatch.setitem(sys.modules, "wandb", fake)
    job = prepared.single("tone", 0)
    result = execute(job, output.runs, Machine(loggers=("wandb",)))
    assert run.settings["id"] == job.spec.run_id
    assert run.settings["config"]["seed"] == 0
    assert len(run.lines) == result.steps + 1
    assert run.lines[-1][1]["accuracy/tone/validation"] == pytest.approx(result.primary["tone"])
    assert run.is_finished


def test_a_logged_run_has_the_numbers_of_one_that_is_not(
    prepared: PreparedStudy, output: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake: Any = types.ModuleType("wandb")
    fake.Settings = lambda: types.SimpleNamespace(project="mine")
    fake.init = FakeRun().begin
    monkeypatch.setitem(sys.modules, "wandb", fake)
    job = prepared.single("match", 1)
    logged = execute(job, output.runs, Machine(loggers=("wandb",)))
    plain = execute(job, open_output(tmp_path / "plain").runs, Machine())
    assert logged.scores == plain.scores
    assert logged.final_loss == plain.final_loss


class FakeRun:
    """Stands in for the run that `wandb.init` returns."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, dict[str, float]]] = []
        self.settings: dict[str, Any] = {}
        self.is_finished = False

    def begin(self, **settings: Any) -> FakeRun:
        self.settings = settings
        return self

    def log(self, values: dict[str, float], step: int) -> None:
        self.lines.append((step, values))

    def finish(self) -> None:
        self.is_finished = True
