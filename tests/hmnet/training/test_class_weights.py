"""Rare classes may count more: what the weights are, and what they do to a step."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made import make_data, make_encoder

from hmnet.errors import InputError
from hmnet.models.paths import HMNet
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import TrainingSettings
from hmnet.study.study_file import read_study_file
from hmnet.training.class_weights import measure_class_weights, weigh_classes
from hmnet.training.loop import Trainer
from hmnet.training.losses import compute_loss

DATA = {"alpha": make_data("alpha", 2), "beta": make_data("beta", 3, seed=1)}
SETTINGS = TrainingSettings(epochs=1, batch_size=8)


@given(counts=st.lists(st.integers(0, 50), min_size=2, max_size=5).filter(any), given=st.booleans())
def test_a_training_row_counts_1_on_average(counts: list[int], *, given: bool) -> None:
    rows = np.array(counts)
    weights = weigh_classes(rows, tuple(range(1, len(rows) + 1)) if given else "balanced")
    assert (weights * rows).sum() / rows.sum() == pytest.approx(1)
    assert (weights > 0).all()


def test_balanced_weights_give_every_class_the_same_share_of_the_loss() -> None:
    weights = weigh_classes(np.array([90, 9, 1]), "balanced")
    assert weights * [90, 9, 1] == pytest.approx([100 / 3] * 3)


def test_the_weighted_loss_of_a_hand_made_batch() -> None:
    # Even odds in both rows: ln 2 each. Weights 1/2 and 3/2 by their classes: (.5 + 1.5) / 2.
    outputs, labels = torch.zeros(2, 2), torch.tensor([0, 1])
    found = compute_loss(outputs, labels, "classification", torch.tensor([0.5, 1.5]))
    assert float(found) == pytest.approx(np.log(2))
    alone = compute_loss(outputs[:1], labels[:1], "classification", torch.tensor([0.5, 1.5]))
    assert float(alone) == pytest.approx(0.5 * np.log(2))  # a part of a batch keeps its weight


def test_weights_change_the_gradient_of_their_task_and_no_recorded_loss(tmp_path: Path) -> None:
    encoder = make_encoder(tmp_path, "bert", depth=2)
    found = {}
    for weights in ({}, {"alpha": (1.0, 4.0)}):
        settings = dataclasses.replace(SETTINGS, class_weights=weights)
        model = HMNet(
            encoder, [d.task for d in DATA.values()], HierarchySpec(2, 0, 0), [list(DATA)], seed=0
        )
        trainer = Trainer(model, DATA, settings, 0, torch.device("cpu"))
        for task in DATA:
            step = next(step for step in trainer.steps if step.task == task)
            loss = float(trainer._add_gradients(task, trainer._cut(step))[0])
            parts = [p.grad.flatten() for p in model.path(task).parameters() if p.grad is not None]
            found[bool(weights), task] = loss, torch.cat(parts)
            trainer.optimizer.zero_grad(set_to_none=True)
    for task in DATA:
        (plain, before), (weighted, after) = found[False, task], found[True, task]
        assert plain == weighted
        assert torch.equal(before, after) == (task == "beta")


def test_parts_of_a_weighted_batch_add_up_to_its_gradient(tmp_path: Path) -> None:
    encoder = make_encoder(tmp_path, "bert", depth=2)
    settings = dataclasses.replace(SETTINGS, class_weights="balanced")
    gradients = []
    for parts in (1, 3):
        model = HMNet(
            encoder, [d.task for d in DATA.values()], HierarchySpec(2, 0, 0), [list(DATA)], seed=0
        )
        trainer = Trainer(model, DATA, settings, 0, torch.device("cpu"))
        trainer.micro_batches = parts
        step = trainer.steps[0]
        trainer._add_gradients(step.task, trainer._cut(step))
        grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        gradients.append(torch.cat(grads))
    whole, added = gradients
    assert float((whole - added).norm() / whole.norm()) < 1e-5


def test_a_regression_has_no_class_weights() -> None:
    settings = dataclasses.replace(SETTINGS, class_weights="balanced")
    data = {**DATA, "gamma": make_data("gamma", 1)}
    assert set(measure_class_weights(data, settings, torch.device("cpu"))) == {"alpha", "beta"}


def test_weights_that_fit_no_task_are_told_at_once() -> None:
    weights = {"rte": [1.0, 2.0, 3.0], "stsb": "balanced", "cbb": "balanced"}
    with pytest.raises(InputError) as caught:
        read_study_file(None, {"training.class_weights": weights})
    said = "\n".join(caught.value.problems)
    assert "a number for each label of `rte` (entailment, not_entailment). Found 3." in said
    assert "should name tasks with labels. Found `stsb`, a regression." in said
    assert "should name known tasks. Found `cbb`. Did you mean `cb`?" in said
