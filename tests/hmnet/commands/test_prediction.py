"""Predicting with many tasks at once: shared layers run once, and change nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from made import make_data, make_encoder, make_task

from hmnet.commands.predict import match_columns
from hmnet.models.paths import HMNet, PathModel
from hmnet.models.skillnet import SkillNet
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.tasks import Task
from hmnet.training.evaluation import predict, predict_tasks

NAMES = ["a", "b", "c", "d"]
TASKS = [make_task(name, classes) for name, classes in zip(NAMES, (2, 3, 2, 1), strict=True)]
SPLIT = make_data("a", 2).train
CPU = torch.device("cpu")


def make_model(folder: Path, kind: str, layers: tuple[int, int, int]) -> HMNet:
    encoder = make_encoder(folder, kind, depth=sum(layers), dropout=0.1)
    return HMNet(encoder, TASKS, HierarchySpec(*layers), [["a", "b"], ["c", "d"]], seed=0)


def predict_apart(model: PathModel) -> dict[str, np.ndarray]:
    return {name: predict(model, name, SPLIT, "fp32", CPU) for name in NAMES}


@pytest.mark.parametrize("kind", ["bert", "electra", "distilbert", "modernbert", "deberta-v2"])
def test_all_tasks_at_once_predict_what_each_predicts_alone(tmp_path: Path, kind: str) -> None:
    model = make_model(tmp_path, kind, (1, 1, 1))
    together, passes = predict_tasks(model, NAMES, SPLIT, "fp32", CPU)
    apart = predict_apart(model)
    assert together.keys() == apart.keys()
    for name in NAMES:
        np.testing.assert_array_equal(together[name], apart[name])
    # One batch. Separately 4 paths x 3 layers; here 1 shared, 1 for each of 2 groups, 4 of tasks.
    assert (passes.asked, passes.computed) == (12, 7)


@pytest.mark.parametrize(("layers", "computed"), [((0, 0, 2), 8), ((2, 0, 0), 2), ((0, 2, 0), 4)])
def test_what_is_computed_follows_the_hierarchy(
    tmp_path: Path, layers: tuple[int, int, int], computed: int
) -> None:
    model = make_model(tmp_path, "bert", layers)
    assert predict_tasks(model, NAMES, SPLIT, "fp32", CPU)[1].computed == computed


def test_paths_without_common_layers_share_nothing(tmp_path: Path) -> None:
    model = SkillNet(make_encoder(tmp_path, depth=2), TASKS, seed=0)
    together, passes = predict_tasks(model, NAMES, SPLIT, "fp32", CPU)
    assert (passes.asked, passes.computed) == (8, 8)
    for name, outputs in predict_apart(model).items():
        np.testing.assert_array_equal(together[name], outputs)


def test_a_model_can_be_trained_after_a_prediction(tmp_path: Path) -> None:
    model = make_model(tmp_path, "bert", (1, 1, 1))
    before = predict_apart(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)
    after = predict_apart(model)
    assert all(not np.array_equal(before[name], after[name]) for name in NAMES)


def test_tasks_read_their_own_columns_or_those_for_any_task() -> None:
    one = Task(name="one", text=("sentence",), labels=(0, 1))
    pair = Task(name="pair", text=("premise", "hypothesis"), labels=(0, 1))
    three = Task(name="three", text=("p", "q", "a"), labels=(0, 1))
    tasks = [one, pair, three]
    assert match_columns(tasks, ["sentence", "text", "text_pair"]) == (
        {("sentence",): [one], ("text", "text_pair"): [pair]},
        ["three"],
    )
    assert match_columns(tasks, ["text"]) == ({("text",): [one]}, ["pair", "three"])
