"""A training says its first step at once, then how long the rest will take."""

from __future__ import annotations

import io

import pytest

from hmnet.jobs import step_progress
from hmnet.jobs.step_progress import StepProgress, count_steps
from hmnet.runs.loggers import join_loggers
from hmnet.runs.spec import RunSpec
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import ModelRef, TrainingSettings
from hmnet.study.tasks import PAPER_TASKS


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(step_progress.time, "monotonic", lambda: now[0])
    return now


def test_the_first_step_is_said_and_then_one_every_quarter_of_a_minute(clock: list[float]) -> None:
    stream = io.StringIO()
    progress = StepProgress(100, stream)
    for step in range(100):
        progress.log(step, {"loss/rte": 0.5})
        clock[0] += 1.0
    progress.log(100, {"accuracy/rte/validation": 0.7})  # scores are no step
    progress.close()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "step 1 of 100, loss 0.500"
    # a step takes a second: after 15 of them, 84 are left
    assert lines[1] == "step 16 of 100, loss 0.500, about 1 min 24 s left"
    assert lines[-1] == "step 100 of 100, loss 0.500"
    assert len(lines) == 1 + 6 + 1


def test_a_resumed_training_counts_its_own_steps_for_the_time_left(clock: list[float]) -> None:
    stream = io.StringIO()
    progress = StepProgress(60, stream)
    progress.log(40, {"loss/rte": 1.0})
    clock[0] += 20.0
    progress.log(50, {"loss/rte": 1.0})
    # 10 steps took 20 s, 9 are left
    assert stream.getvalue().splitlines()[1].endswith("about 18 s left")


def test_steps_are_those_that_are_planned() -> None:
    spec = RunSpec(
        tasks=(PAPER_TASKS["cb"], PAPER_TASKS["rte"]),
        data={"cb": "c", "rte": "r"},
        model=ModelRef("owner/encoder", "abc", "weights"),
        hierarchy=HierarchySpec(12, 0, 0),
        groups=(("cb", "rte"),),
        training=TrainingSettings(epochs=3, batch_size=32),
        seed=0,
    )
    # 240 rows are 8 batches, 33 are 2: 10 an epoch
    assert count_steps(spec, {"cb": 240, "rte": 33, "other": 7}) == 30


def test_loggers_that_are_not_there_are_left_out() -> None:
    heard: list[int] = []

    class Ears:
        def log(self, step: int, values: object) -> None:
            heard.append(step)

        def close(self) -> None: ...

    join_loggers(None, Ears(), None).log(3, {})
    assert heard == [3]
