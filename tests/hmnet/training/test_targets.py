"""Regression targets are standardised for the training, and predicted in their unit."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from made import make_data, make_encoder
from torch import nn

from hmnet.data.task_data import TaskData
from hmnet.models.paths import HMNet
from hmnet.runs.spec import SPEC_SCHEMA, RunSpec, read_spec
from hmnet.storage.documents import to_plain
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import ModelRef, TrainingSettings
from hmnet.training.evaluation import evaluate
from hmnet.training.loop import train
from hmnet.training.targets import TargetScale, measure_scales

SETTINGS = TrainingSettings(epochs=3, batch_size=8, learning_rate=1e-3)
RAW = dataclasses.replace(SETTINGS, targets="raw")
CLASSES, VALUES = make_data("alpha", 2), make_data("beta", 1, seed=1)


def in_unit(data: TaskData, factor: float, offset: float) -> TaskData:
    """Return a regression whose targets are told in another unit."""
    splits = {
        name: dataclasses.replace(split, labels=(split.labels * factor + offset).astype("f4"))
        for name, split in data.splits.items()
    }
    return dataclasses.replace(data, splits=splits)


def train_both(
    folder: Path, values: TaskData, settings: TrainingSettings
) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """Train a classification and a regression together; return losses and both predictions."""
    data = {"alpha": CLASSES, "beta": values}
    encoder = make_encoder(folder, depth=2)
    tasks = [each.task for each in data.values()]
    model = HMNet(encoder, tasks, HierarchySpec(2, 0, 0), [list(data)], seed=0)
    losses = train(model, data, settings, seed=0).final_loss
    outputs = [np.stack(evaluate(model, data[name])["logits"].tolist()) for name in data]
    return losses, outputs[0], outputs[1][:, 0]


def test_a_scale_is_that_of_the_training_rows() -> None:
    # mean (1 + 3 + 8) / 3 = 4, deviation sqrt((9 + 1 + 16) / 3) = 2.9439
    scale = TargetScale.of(np.array([1.0, 3.0, 8.0], dtype=np.float32))
    assert (scale.mean, scale.deviation) == pytest.approx((4.0, 2.9439), abs=1e-4)
    found = scale.standardise(torch.tensor([4.0, 1.0]))
    assert found.tolist() == pytest.approx([0.0, -3 / 2.9439], abs=1e-4)


def test_targets_that_are_all_alike_are_only_centred() -> None:
    assert TargetScale.of(np.full(5, 7.0, dtype=np.float32)) == TargetScale(7.0, 1.0)


def test_class_codes_and_raw_targets_are_left_as_they_are() -> None:
    data = {"alpha": CLASSES, "beta": VALUES}
    assert measure_scales(data, SETTINGS).keys() == {"beta"}
    assert measure_scales(data, RAW) == {}
    codes = torch.tensor([2, 0])
    assert TargetScale().standardise(codes) is codes


def test_an_output_layer_predicts_in_the_unit_of_the_targets() -> None:
    layer = nn.Linear(3, 1)
    states = torch.randn(5, 3)
    standardised = layer(states)
    TargetScale(10.0, 4.0).fold_into(layer)
    torch.testing.assert_close(layer(states), standardised * 4 + 10)


@pytest.mark.parametrize(("factor", "offset"), [(100.0, -50.0), (0.01, 3.0), (-5.0, 0.0)])
def test_the_unit_of_a_target_changes_nothing_but_the_unit_of_its_predictions(
    tmp_path: Path, factor: float, offset: float
) -> None:
    losses, classes, values = train_both(tmp_path, VALUES, SETTINGS)
    other = train_both(tmp_path, in_unit(VALUES, abs(factor), offset), SETTINGS)
    np.testing.assert_allclose(other[1], classes, atol=1e-4)
    np.testing.assert_allclose(other[2], values * abs(factor) + offset, rtol=1e-3, atol=1e-3)
    assert other[0]["alpha"] == pytest.approx(losses["alpha"], rel=1e-4)
    assert other[0]["beta"] == pytest.approx(losses["beta"] * factor**2, rel=1e-3)


def test_raw_targets_weigh_by_their_unit(tmp_path: Path) -> None:
    _, alone, _ = train_both(tmp_path, VALUES, RAW)
    _, other, _ = train_both(tmp_path, in_unit(VALUES, 100.0, 0.0), RAW)
    assert np.abs(other - alone).max() > 1e-3  # in another unit: below 1e-4, as above


def make_spec(data: TaskData, settings: TrainingSettings) -> RunSpec:
    name = data.task.name
    return RunSpec(
        tasks=(data.task,),
        data={name: "x"},
        model=ModelRef("encoder", None, "x"),
        hierarchy=HierarchySpec(0, 0, 3),
        groups=((name,),),
        training=settings,
        seed=0,
    )


def test_only_runs_with_a_regression_get_another_name() -> None:
    assert make_spec(CLASSES, SETTINGS).run_id == make_spec(CLASSES, RAW).run_id
    assert make_spec(VALUES, SETTINGS).run_id != make_spec(VALUES, RAW).run_id


def test_a_run_from_before_there_was_a_choice_was_raw(tmp_path: Path) -> None:
    spec = make_spec(VALUES, RAW)
    content = {"schema": SPEC_SCHEMA, **to_plain(spec)}
    del content["training"]["targets"]
    (tmp_path / "spec.json").write_text(json.dumps(content))
    found = read_spec(tmp_path / "spec.json")
    assert found == spec
    assert found.run_id == spec.run_id
