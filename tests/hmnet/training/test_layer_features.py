"""Features of layers and Fisher information: those of the stock model, row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from made import make_encoder, make_split, make_task
from transformers import AutoModel

from hmnet.data.tokens import SplitData
from hmnet.encoders.layers import find_layers
from hmnet.models.paths import HMNet
from hmnet.packing.batch import pack
from hmnet.study.hierarchy import HierarchySpec
from hmnet.training.evaluation import predict
from hmnet.training.fisher_information import find_information
from hmnet.training.layer_features import compute_features, take_rows
from hmnet.training.targets import TargetScale

SIZE = 7


def make_model(folder: Path, classes: int = 3) -> HMNet:
    encoder = make_encoder(folder)
    return HMNet(encoder, [make_task("a", classes)], HierarchySpec(0, 0, 3), [["a"]], seed=0)


def list_inputs(split: SplitData, row: int) -> dict[str, torch.Tensor]:
    tokens = split.tokens[split.offsets[row] : split.offsets[row + 1]].astype(np.int64)
    segments = (np.arange(len(tokens)) >= split.first[row]).astype(np.int64)
    return {
        "input_ids": torch.from_numpy(tokens)[None],
        "token_type_ids": torch.from_numpy(segments)[None],
    }


def test_features_are_the_mean_states_of_each_layer_text_by_text(tmp_path: Path) -> None:
    model, split = make_model(tmp_path), make_split(0, SIZE, 3)
    found = compute_features(model, "a", split)
    stock = AutoModel.from_pretrained(tmp_path).eval()  # layers are as in the untrained model
    for row in range(SIZE):
        with torch.no_grad():
            states = stock(**list_inputs(split, row), output_hidden_states=True).hidden_states
        expected = np.stack([layer[0].mean(dim=0).numpy() for layer in states[1:]])
        np.testing.assert_allclose(found.states[row], expected, atol=2e-5)
    np.testing.assert_allclose(
        found.logits, predict(model, "a", split, "fp32", torch.device("cpu")), atol=1e-5
    )


def test_rows_are_taken_in_the_order_asked_for(tmp_path: Path) -> None:
    model, split = make_model(tmp_path), make_split(0, SIZE, 3)
    whole = compute_features(model, "a", split)
    index = np.array([5, 0, 3])
    part = compute_features(model, "a", take_rows(split, index))
    np.testing.assert_allclose(part.states, whole.states[index], atol=1e-5)
    np.testing.assert_allclose(part.logits, whole.logits[index], atol=1e-5)


@pytest.mark.parametrize("classes", [3, 1])
def test_information_is_the_mean_squared_gradient_of_single_rows(
    tmp_path: Path, classes: int
) -> None:
    model, split = make_model(tmp_path, classes), make_split(0, SIZE, classes)
    scale = TargetScale.of(split.labels) if classes == 1 else TargetScale()
    found = find_information(model, make_task("a", classes), split, scale)
    assert (found >= 0).all()
    assert found.any()
    # the first layer's first weight matrix, by one backward pass a row
    weight = next(find_layers(model.path("a"))[0].parameters())
    total = np.zeros(weight.shape)
    for row in range(SIZE):
        model.zero_grad()
        outputs = model("a", pack(split, [row]))
        labels = torch.from_numpy(split.labels[[row]])
        if classes == 1:
            loss = (((outputs[:, 0] - labels) / scale.deviation) ** 2).mean()
        else:
            loss = -outputs.log_softmax(-1)[0, int(labels[0])]
        loss.backward()
        assert weight.grad is not None
        total += weight.grad.numpy() ** 2
    np.testing.assert_allclose(found[: len(weight)], total.mean(axis=1) / SIZE, rtol=1e-3)
