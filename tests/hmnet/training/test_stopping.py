"""A stopping point per task: chosen on held-out rows, kept, saved, and resumed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import make_data, make_encoder, make_split
from tiny_study import write_groups, write_study
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from hmnet.cli import app
from hmnet.commands.export import export_task
from hmnet.data.task_data import HELD_OUT, TaskData
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.models.paths import HMNet, PathModel
from hmnet.models.saved import load_model
from hmnet.runs.stopping_record import read_stopping
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import TrainingSettings
from hmnet.study.study import load_study
from hmnet.training import embedding_gradients, stopping, used_rows
from hmnet.training.checkpoint import Checkpoint
from hmnet.training.loop import TrainingLog, train
from hmnet.training.stopping import find_best

SETTINGS = TrainingSettings(
    epochs=3, batch_size=8, learning_rate=1e-3, weight_decay=0.1, stopping="task"
)
CPU = torch.device("cpu")


def hold(data: TaskData, seed: int, classes: int) -> TaskData:
    return dataclasses.replace(data, splits={**data.splits, HELD_OUT: make_split(seed, 9, classes)})


DATA = {
    "alpha": hold(make_data("alpha", 2), 50, 2),
    "beta": hold(make_data("beta", 1, seed=1), 60, 1),
}


@pytest.fixture(scope="module", params=("bert", "roberta", "electra"))
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_encoder(tmp_path_factory.mktemp("encoder"), request.param, depth=2, dropout=0.1)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_encoder(tmp_path_factory.mktemp("bert"), "bert", depth=2, dropout=0.1)


def build(encoder: Any) -> HMNet:
    tasks = [d.task for d in DATA.values()]
    return HMNet(encoder, tasks, HierarchySpec(1, 0, 1), [["alpha", "beta"]], seed=0)


def rig(patch: pytest.MonkeyPatch, wanted: Mapping[str, list[float]]) -> None:
    """Have each task's epochs score as wanted."""
    left = {task: list(scores) for task, scores in wanted.items()}
    patch.setattr(stopping.BestEpochs, "_score", lambda self, model, task, *rest: left[task].pop(0))


def list_path(model: PathModel, task: str) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.path(task).named_parameters()}


def assert_equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=0, atol=0, msg=name)


def capture(patch: pytest.MonkeyPatch, epoch: int) -> dict[str, dict[str, Tensor]]:
    """Have a training kept at the end of an epoch, task by task, in what is returned."""
    kept: dict[str, dict[str, Tensor]] = {}

    def look(self: Any, model: PathModel, scales: Any, device: Any, expand: Any) -> None:
        kept["now"] = {}
        look.count += 1  # type: ignore[attr-defined]
        if look.count == epoch:  # type: ignore[attr-defined]
            kept.update(
                {
                    task: {n: expand(p) for n, p in model.path(task).named_parameters()}
                    for task in DATA
                }
            )

    look.count = 0  # type: ignore[attr-defined]
    patch.setattr(stopping.BestEpochs, "look", look)
    return kept


@pytest.mark.parametrize("least", [1, 1 << 40])  # the token table cut, or whole
def test_each_task_has_the_path_of_its_best_epoch(encoder: Any, least: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module in (embedding_gradients, used_rows):
            patch.setattr(module, "LARGE", least)
        settings = dataclasses.replace(SETTINGS, targets="raw")
        expected = {}
        for epoch in (1, 2):
            with pytest.MonkeyPatch.context() as inner:
                kept = capture(inner, epoch)
                train(build(encoder), DATA, settings, 0)
                expected[epoch] = kept
        model = build(encoder)
        rig(patch, {"alpha": [0.2, 0.9, 0.5], "beta": [0.3, 0.3, 0.1]})
        log = train(model, DATA, settings, 0)
    assert log.held_out == {"alpha": [0.2, 0.9, 0.5], "beta": [0.3, 0.3, 0.1]}
    assert_equal(list_path(model, "alpha"), expected[2]["alpha"])
    assert_equal(list_path(model, "beta"), expected[1]["beta"])  # the first of equal ones
    shared = set(model.path("alpha").parameters()) & set(model.path("beta").parameters())
    assert not shared


def test_tasks_that_are_best_in_the_end_have_the_plain_model(encoder: Any) -> None:
    plain, stopped = build(encoder), build(encoder)
    train(plain, DATA, dataclasses.replace(SETTINGS, stopping="end"), 0)
    with pytest.MonkeyPatch.context() as patch:
        rig(patch, {task: [0.1, 0.2, 0.3] for task in DATA})
        train(stopped, DATA, SETTINGS, 0)
    for task in DATA:
        assert_equal(list_path(stopped, task), list_path(plain, task))


def test_looking_at_held_out_rows_changes_no_loss(bert: Any) -> None:
    losses: dict[str, list[float]] = {"end": [], "task": []}
    for stop, found in losses.items():
        settings = dataclasses.replace(SETTINGS, stopping=stop)
        train(build(bert), DATA, settings, 0, log=lambda line, f=found: f.append(line["loss"]))
    assert losses["end"] == losses["task"]


def test_the_score_is_that_of_the_held_out_rows(bert: Any) -> None:
    model = build(bert)
    log = train(model, DATA, SETTINGS, 0)
    for task, scores in log.held_out.items():
        assert len(scores) == 3
        split = DATA[task].splits[HELD_OUT]
        frame = stopping.predict(model, task, split, "fp32", CPU)
        if task == "alpha":
            assert max(scores) == pytest.approx(float(np.mean(frame.argmax(1) == split.labels)))


class StoppedError(Exception):
    """Stands for a process that dies."""


def run_twice(bert: Any, folder: Path, settings: TrainingSettings) -> TrainingLog:
    """Train until step 13 of 18, and then to the end in another model; assert nothing is lost."""

    def stop(line: Mapping[str, Any]) -> None:
        if line["step"] == 13:
            raise StoppedError

    whole, resumed = build(bert), build(bert)
    log = train(whole, DATA, settings, 0)
    saved = Checkpoint(folder, 0.0)
    with pytest.raises(StoppedError):
        train(build(bert), DATA, settings, 0, checkpoint=saved, log=stop)
    again = train(resumed, DATA, settings, 0, checkpoint=saved)
    assert again.held_out == log.held_out
    for task in DATA:
        assert_equal(list_path(resumed, task), list_path(whole, task))
    return log


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_resuming_keeps_the_best_paths_so_far(
    bert: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, averaging: float
) -> None:
    for module in (embedding_gradients, used_rows):
        monkeypatch.setattr(module, "LARGE", 1)
    run_twice(bert, tmp_path, dataclasses.replace(SETTINGS, averaging=averaging))


def test_averaged_weights_are_scored_and_kept_where_there_are_some(bert: Any) -> None:
    settings = dataclasses.replace(SETTINGS, averaging=0.9)
    averaged, stopped = build(bert), build(bert)
    train(averaged, DATA, dataclasses.replace(settings, stopping="end"), 0)
    with pytest.MonkeyPatch.context() as patch:
        rig(patch, {task: [0.1, 0.2, 0.3] for task in DATA})
        train(stopped, DATA, settings, 0)
    for task in DATA:
        assert_equal(list_path(stopped, task), list_path(averaged, task))


def test_tasks_without_held_out_rows_are_named(bert: Any) -> None:
    data = {"alpha": DATA["alpha"], "beta": make_data("beta", 1)}
    with pytest.raises(InputError, match=r"`rows.holdout` should be given.* rows of `beta`"):
        train(build(bert), data, SETTINGS, 0)


def test_a_study_with_stopping_points_asks_for_held_out_rows(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('schema = "study/1"\n[training]\nstopping = "task"\n')
    with pytest.raises(InputError, match=r"study.toml: Parameter `rows.holdout` should be given"):
        load_study(path)
    assert load_study(path, {"rows.holdout": 100}).rows.holdout == 100


def test_the_best_epoch_is_the_first_of_equal_ones() -> None:
    assert [find_best(scores) for scores in ([0.1], [0.1, 0.3, 0.3], [0.5, 0.3])] == [1, 2, 1]


def test_a_run_with_stopping_points_is_stored_read_and_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_study(tmp_path)
    write_groups(tmp_path / "groups.json", {"a": ["tone"], "b": ["grade"]})
    out = Output(tmp_path / "out")
    words = ["train", "--study", str(tmp_path / "study.toml"), "--out", str(out.folder)]
    words += ["--groups", str(tmp_path / "groups.json"), "--threads", "1", "--tasks", "tone,grade"]
    words += ["--set", "training.stopping=task", "--set", "rows.holdout=8"]
    app([*words, "--hierarchy", "1,1,1"], standalone_mode=False)
    spec = out.runs.find("grade-tone")[1]
    found = read_stopping(out.runs.path(spec))
    assert found is not None
    assert {task: len(scores) for task, scores in found.scores.items()} == {"tone": 2, "grade": 2}
    assert "epoch whose weights each task has" in capsys.readouterr().out
    result = out.runs.result(spec)
    assert "stopping.json" in result.files
    model = load_model(out.runs.path(spec) / "model", spec)
    assert result.parameters == model.count_parameters()
    export_task(out, spec.run_id, "tone", tmp_path / "tone")
    stock = AutoModelForSequenceClassification.from_pretrained(tmp_path / "tone")
    for one, other in zip(stock.parameters(), model.path("tone").parameters(), strict=True):
        assert torch.equal(one, other)
