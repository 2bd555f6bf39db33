"""Embeddings of texts: those of the stock encoder, text by text."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_study import write_encoder
from transformers import AutoModel

from hmnet.data.tokens import SplitData
from hmnet.encoders.load import Encoder, load_encoder
from hmnet.packing.first_token import read_every_token
from hmnet.training.embedding import embed

LENGTHS = (7, 3, 12, 7, 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encoder")
    write_encoder(path)
    return path


def make_split() -> SplitData:
    rng = np.random.default_rng(0)
    return SplitData(
        tokens=rng.integers(5, 25, sum(LENGTHS)).astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(LENGTHS)]),
        first=np.array(LENGTHS, dtype=np.int32),
        labels=np.zeros(len(LENGTHS), dtype=np.int64),
        rows=np.arange(len(LENGTHS)),
        questions=np.full(len(LENGTHS), -1),
    )


def embed_alone(folder: Path, split: SplitData, row: int) -> np.ndarray:
    model = AutoModel.from_pretrained(folder).eval()
    tokens = split.tokens[split.offsets[row] : split.offsets[row + 1]]
    with torch.no_grad():
        states = model(input_ids=torch.from_numpy(tokens.astype(np.int64))[None]).last_hidden_state
    return states[0].double().mean(dim=0).numpy()


@pytest.mark.parametrize("is_packable", [True, False])
def test_an_embedding_is_the_mean_of_the_last_states_of_a_text(
    folder: Path, is_packable: bool
) -> None:
    encoder, split = load_encoder(str(folder)), make_split()
    assert encoder.is_packable
    encoder = encoder if is_packable else as_padded(encoder)
    index = np.array([4, 0, 2, 1])
    found = embed(encoder, split, index)
    expected = [embed_alone(folder, split, row) for row in index]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def as_padded(encoder: Encoder) -> Encoder:
    """Return a copy as an architecture that cannot be packed is loaded."""
    model: Any = copy.deepcopy(encoder.model)
    model.set_attn_implementation("eager")
    for module in model.modules():
        module._forward_hooks.clear()
    read_every_token(model.bert.encoder.layer[-1])
    return replace(encoder, model=model, is_packable=False)


def test_the_encoder_stays_as_it_was(folder: Path) -> None:
    encoder, split = load_encoder(str(folder)), make_split()
    before = (type(encoder.layers[-1]), len(encoder.layers[-1]._forward_hooks))
    one = embed(encoder, split, np.arange(2))
    assert (type(encoder.layers[-1]), len(encoder.layers[-1]._forward_hooks)) == before
    np.testing.assert_array_equal(embed(encoder, split, np.arange(2)), one)
