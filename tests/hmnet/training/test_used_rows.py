"""Token tables that are cut to the rows in use while a model is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from made import make_data, make_encoder

from hmnet.models.paths import HMNet
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import TrainingSettings
from hmnet.training import embedding_gradients, used_rows
from hmnet.training.checkpoint import Checkpoint
from hmnet.training.evaluation import evaluate
from hmnet.training.loop import Trainer, train

DATA = {"alpha": make_data("alpha", 2), "beta": make_data("beta", 3, seed=1)}
SETTINGS = TrainingSettings(epochs=2, batch_size=8, learning_rate=1e-3, weight_decay=0.1)


def make_model(folder: Path) -> HMNet:
    encoder = make_encoder(folder, depth=2)
    tasks = [d.task for d in DATA.values()]
    return HMNet(encoder, tasks, HierarchySpec(1, 0, 1), [["alpha", "beta"]], seed=0)


def set_threshold(patch: pytest.MonkeyPatch, least: int) -> None:
    patch.setattr(embedding_gradients, "LARGE", least)
    patch.setattr(used_rows, "LARGE", least)


def test_a_cut_table_trains_to_the_parameters_of_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []
    for least in (1, 1 << 40):
        set_threshold(monkeypatch, least)
        model = make_model(tmp_path)
        train(model, DATA, SETTINGS, seed=0)
        trained.append(model)
    cut, whole = (dict(model.named_parameters()) for model in trained)
    assert {n: p.shape for n, p in cut.items()} == {n: p.shape for n, p in whole.items()}
    for name, parameter in cut.items():
        torch.testing.assert_close(parameter, whole[name], rtol=1e-5, atol=1e-7, msg=name)
    for data in DATA.values():
        logits = [np.stack(evaluate(model, data)["logits"]) for model in trained]
        np.testing.assert_allclose(*logits, rtol=1e-4, atol=1e-6)


def test_only_the_rows_in_use_are_trained_and_all_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_threshold(monkeypatch, 1)
    model = make_model(tmp_path)
    table = model.path("alpha").get_input_embeddings()  # type: ignore[operator]
    size, padding = table.weight.shape, table.padding_idx
    trainer = Trainer(model, DATA, SETTINGS, 0, torch.device("cpu"))
    used = np.unique(np.concatenate([d.train.tokens for d in DATA.values()]))
    assert len(used) <= len(table.weight) <= len(used) + 1 < size[0]  # and padding
    trainer.update(0)
    trainer.finish()
    assert table.weight.shape == size
    assert table.padding_idx == padding
    assert not table._forward_pre_hooks


def test_a_model_is_whole_after_a_training_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_threshold(monkeypatch, 1)
    model = make_model(tmp_path)
    shapes = {name: p.shape for name, p in model.named_parameters()}

    def stop(line: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(model, DATA, SETTINGS, seed=0, log=stop)
    assert {name: p.shape for name, p in model.named_parameters()} == shapes


def test_resuming_equals_an_uninterrupted_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_threshold(monkeypatch, 1)
    expected = make_model(tmp_path)
    train(expected, DATA, SETTINGS, seed=0)
    checkpoint = Checkpoint(tmp_path, every_s=0)

    def stop(line: object) -> None:
        if line["step"] == 4:  # type: ignore[index]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(make_model(tmp_path), DATA, SETTINGS, seed=0, checkpoint=checkpoint, log=stop)
    resumed = make_model(tmp_path)
    train(resumed, DATA, SETTINGS, seed=0, checkpoint=checkpoint)
    for (name, a), b in zip(expected.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b), name
