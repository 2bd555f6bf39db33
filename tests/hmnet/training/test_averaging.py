"""Weights averaged along the trajectory: what the mean is of, and what it leaves alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from made import make_data, make_encoder
from pydantic import ValidationError
from torch import Tensor

from hmnet.models.paths import HMNet, PathModel
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import TrainingSettings
from hmnet.training import embedding_gradients, used_rows
from hmnet.training.averaging import plan_snapshots
from hmnet.training.checkpoint import Checkpoint
from hmnet.training.course import PLAIN, Course, ModelStage
from hmnet.training.loop import Trainer, train
from hmnet.training.steps import plan_steps

SETTINGS = TrainingSettings(epochs=3, batch_size=8, learning_rate=1e-3, weight_decay=0.1)
DATA = {"alpha": make_data("alpha", 2), "beta": make_data("beta", 1, seed=1)}
TOTAL = 18  # 3 epochs of 2 tasks x 22 rows in batches of 8
GROUPS = [["alpha"], ["beta"]]


@pytest.fixture(scope="module", params=("bert", "roberta", "electra"))
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_encoder(tmp_path_factory.mktemp("encoder"), request.param, depth=2, dropout=0.1)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_encoder(tmp_path_factory.mktemp("bert"), "bert", depth=2, dropout=0.1)


def build(encoder: Any, hierarchy: str = "1,0,1") -> HMNet:
    tasks = [d.task for d in DATA.values()]
    return HMNet(encoder, tasks, HierarchySpec.parse(hierarchy), GROUPS, seed=0)


def average(share: float, steps: int | None = None) -> TrainingSettings:
    return dataclasses.replace(SETTINGS, averaging=share, averaging_steps=steps)


def list_values(model: PathModel) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def assert_equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=0, atol=0, msg=name)


@pytest.mark.parametrize("share", [0.01, 0.3])
def test_one_snapshot_is_the_plain_model(encoder: Any, share: float) -> None:
    plain, averaged = build(encoder), build(encoder)
    train(plain, DATA, SETTINGS, 0)
    train(averaged, DATA, average(share), 0)
    assert_equal(list_values(averaged), list_values(plain))


def test_the_mean_is_that_of_the_snapshots(encoder: Any) -> None:
    settings = dataclasses.replace(SETTINGS, targets="raw")  # the heads stay as they were trained
    trainer = Trainer(build(encoder), DATA, settings, 0, torch.device("cpu"))
    taken = []
    for position in range(TOTAL):
        trainer.update(position)
        if position in (13, 15, 17):  # of the last 6 steps, every other
            taken.append(list_values(trainer.model))
    averaged = build(encoder)
    train(averaged, DATA, dataclasses.replace(settings, averaging=0.3, averaging_steps=2), 0)
    for name, value in averaged.named_parameters():
        expected = sum(each[name] for each in taken) / 3
        torch.testing.assert_close(value.detach(), expected, rtol=1e-6, atol=1e-8, msg=name)


def test_averaging_does_not_change_the_losses(bert: Any) -> None:
    losses: dict[float, list[float]] = {0.0: [], 0.9: []}
    for share, found in losses.items():
        log = lambda line, found=found: found.append(line["loss"])  # noqa: E731
        train(build(bert), DATA, average(share), 0, log=log)
    assert losses[0.0] == losses[0.9]


@pytest.mark.parametrize(
    ("share", "every", "expected"),
    [
        (0.0, None, []),
        (0.01, None, [17]),
        (0.5, None, [11, 17]),  # of 18 steps, the last 9: from 9 on
        (0.99, None, [5, 11, 17]),
        (0.3, 2, [13, 15, 17]),  # the last 5.4: from 12.6 on
        (0.3, 100, [17]),
    ],
)
def test_snapshots_lie_in_the_last_share_of_the_steps(
    share: float, every: int | None, expected: list[int]
) -> None:
    steps = plan_steps(dict.fromkeys(DATA, 22), 3, 8, 0)
    assert len(steps) == TOTAL
    settings = dataclasses.replace(
        SETTINGS, averaging=share, averaging_steps=every if share else None
    )
    assert plan_snapshots(steps, settings) == expected


class StoppedError(Exception):
    """Stands for a process that dies."""


@pytest.mark.parametrize("is_staged", [False, True])
def test_resuming_within_the_averaged_steps_is_exact(
    bert: Any, tmp_path: Path, is_staged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (embedding_gradients, used_rows):
        monkeypatch.setattr(module, "LARGE", 1)  # so that the token table is cut
    course = PLAIN
    if is_staged:  # parted at step 9, in the middle of what is averaged
        course = Course([ModelStage(0.5, partial(build, bert, h)) for h in ("2,0,0", "1,0,1")])
    first = "2,0,0" if is_staged else "1,0,1"
    settings = average(0.9, 2)
    whole = build(bert, first)
    train(whole, DATA, settings, 0, course=course)

    def stop(line: Mapping[str, Any]) -> None:
        if line["step"] == 13:
            raise StoppedError

    stopped, resumed = build(bert, first), build(bert, first)
    saved = Checkpoint(tmp_path, 0.0)
    with pytest.raises(StoppedError):
        train(stopped, DATA, settings, 0, checkpoint=saved, log=stop, course=course)
    seen: list[int] = []
    log = lambda line: seen.append(line["step"])  # noqa: E731
    train(resumed, DATA, settings, 0, checkpoint=saved, log=log, course=course)
    assert seen == list(range(13, TOTAL))
    assert_equal(list_values(resumed), list_values(whole))


def test_a_parting_takes_the_snapshots_along(bert: Any) -> None:
    course = Course([ModelStage(0.5, partial(build, bert, h)) for h in ("2,0,0", "1,0,1")])
    settings = dataclasses.replace(average(0.9, 4), targets="raw")  # after steps 1, 5, 9, 13, 17
    trainer = Trainer(build(bert, "2,0,0"), DATA, settings, 0, torch.device("cpu"), course=course)
    taken = []
    for position in range(TOTAL):
        trainer.update(position)
        if position in (5, 9, 13, 17):  # the last 16.2 of 18 steps: from 1.8 on
            path = trainer.model.path("beta")
            taken.append([p.detach().clone() for p in path.parameters()])
    trainer.finish()
    for i, value in enumerate(trainer.model.path("beta").parameters()):
        expected = sum(each[i] for each in taken) / len(taken)
        torch.testing.assert_close(value.detach(), expected, rtol=1e-6, atol=1e-8)


def test_rows_that_no_text_uses_are_averaged_too(
    bert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for least in (1, 1 << 40):  # cut to the rows in use, or whole
        for module in (embedding_gradients, used_rows):
            monkeypatch.setattr(module, "LARGE", least)
        model = build(bert)
        train(model, DATA, average(0.9, 3), 0)
        found.append(list_values(model))
    cut, whole = found
    for name, value in cut.items():
        torch.testing.assert_close(value, whole[name], rtol=1e-5, atol=1e-7, msg=name)


def test_an_interval_without_averaging_is_refused() -> None:
    with pytest.raises(ValidationError, match="`averaging_steps` should be left out unless"):
        dataclasses.replace(SETTINGS, averaging_steps=5)
