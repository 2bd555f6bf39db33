"""Watched trainings: bit for bit those that nobody watches, and what is seen is what happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made import make_data, make_encoder
from torch import nn

from hmnet.models.paths import HMNet
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import TrainingSettings
from hmnet.training.lookahead import StepWatcher, watch_training
from hmnet.training.loop import Trainer, train

SETTINGS = TrainingSettings(epochs=1, batch_size=4, learning_rate=2e-3, precision="fp32")
SIZES = {"a": 2, "b": 3, "c": 1}
CPU = torch.device("cpu")


def make_model(folder: Path, dropout: float = 0.1) -> tuple[HMNet, dict]:  # type: ignore[type-arg]
    data = {
        name: make_data(name, classes, seed=i) for i, (name, classes) in enumerate(SIZES.items())
    }
    encoder = make_encoder(folder, dropout=dropout)
    tasks = [each.task for each in data.values()]
    return HMNet(encoder, tasks, HierarchySpec(3, 0, 0), [list(SIZES)], seed=0), data


def make_trainer(folder: Path, **more: float) -> Trainer:
    model, data = make_model(folder, **more)
    return Trainer(model, data, SETTINGS, 0, CPU)


@pytest.mark.parametrize("interval", [2])
def test_a_watched_training_is_bit_for_bit_the_unwatched_one(tmp_path: Path, interval: int) -> None:
    plain, data = make_model(tmp_path)
    train(plain, data, SETTINGS, 0)
    trainer = make_trainer(tmp_path)
    watch_training(trainer, interval)
    watched = dict(trainer.model.named_parameters())
    for name, parameter in plain.named_parameters():
        assert torch.equal(parameter, watched[name]), name


def test_lookahead_is_what_the_optimisers_step_does_to_a_probe_batch(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    watcher = StepWatcher(trainer, interval=1)
    source = trainer.steps[0].task

    def measure(draw: int, task: str) -> float:
        trainer.model.eval()
        with torch.no_grad():
            batch = watcher.probes[task][draw]
            outputs = trainer.model(task, batch)
            if SIZES[task] == 1:
                labels = trainer.scales[task].standardise(batch.labels)
                loss = ((outputs[:, 0] - labels) ** 2).mean()
            else:
                loss = nn.functional.cross_entropy(outputs, batch.labels)
        trainer.model.train()
        return float(loss)

    before = np.array([[measure(draw, task) for task in SIZES] for draw in range(2)])
    watcher.update(0)
    after = np.array([[measure(draw, task) for task in SIZES] for draw in range(2)])
    row = list(SIZES).index(source)
    np.testing.assert_allclose(watcher.lookahead[:, row], 1 - after / before, rtol=1e-5, atol=1e-7)


def test_to_first_order_a_small_step_does_the_same(tmp_path: Path) -> None:
    """Of a task whose head and embeddings the step leaves alone; without weight decay."""
    model, data = make_model(tmp_path, dropout=0.0)
    settings = replace(SETTINGS, learning_rate=1e-5, weight_decay=0.0, warmup_frac=0.0)
    trainer = Trainer(model, data, settings, 0, CPU)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("encoder.layer" in name)
    watcher = StepWatcher(trainer, interval=1)
    row = list(SIZES).index(trainer.steps[0].task)
    watcher.update(0)
    linear = watcher.first_order[:, row].sum(axis=0)
    np.testing.assert_allclose(linear, watcher.lookahead[:, row].mean(axis=0), rtol=0.1, atol=1e-4)


def test_probe_batches_share_no_row_and_cosines_are_symmetric(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    watcher = StepWatcher(trainer, interval=1, rows=8)
    for task in SIZES:
        one, other = (set(batch.index.tolist()) for batch in watcher.probes[task])
        assert not one & other
        assert len(one) == len(other) == 8
    watcher.update(0)
    cosine = watcher.read().cosine
    np.testing.assert_allclose(cosine, cosine.transpose(0, 2, 1))
    assert (np.abs(cosine) <= 1 + 1e-6).all()


def test_every_task_is_looked_at_once_in_an_interval(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    steps = [step.task for step in trainer.steps]
    found = watch_training(trainer, interval=4)
    # of six steps of each task, the third alone: from the middle of four on, then the seventh
    assert [steps.count(task) for task in SIZES] == [6, 6, 6]
    assert found.looks.tolist() == [1, 1, 1]
    assert np.isfinite(found.lookahead).all()
