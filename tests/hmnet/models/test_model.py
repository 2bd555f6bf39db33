"""The hierarchical model: what is shared, what it counts, what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from made import make_data, make_encoder, make_task, write_encoder
from torch import nn

from hmnet.encoders.load import load_encoder
from hmnet.encoders.locate import identify
from hmnet.errors import InputError, SourceError
from hmnet.models.paths import HMNet
from hmnet.packing.batch import pack
from hmnet.packing.dropout import draw_keep_mask, drop, seed_dropout
from hmnet.packing.forward import compute_logits
from hmnet.study.hierarchy import HierarchySpec
from hmnet.training.evaluation import autocast

TASKS = [make_task("a"), make_task("b", 3), make_task("c", 1), make_task("train")]
GROUPS = [["a", "b"], ["c", "train"]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("encoders")


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_parameter_counts_equal_hand_arithmetic(folder: Path) -> None:
    encoder = make_encoder(folder / "bert4", "bert", depth=4)
    model = HMNet(encoder, TASKS, HierarchySpec(1, 2, 1), GROUPS, seed=0)
    # BERT, width 16, feed-forward 32. A layer: four 16 x 16 projections with bias, two layer
    # norms, two feed-forward matrices with bias.
    layer = 4 * (16 * 16 + 16) + 2 * 2 * 16 + (16 * 32 + 32) + (32 * 16 + 16)
    # Embeddings: 120 words, 64 positions, 2 segments, and a layer norm.
    embeddings = (120 + 64 + 2) * 16 + 2 * 16
    pooler = 16 * 16 + 16
    heads = [16 * outputs + outputs for outputs in (2, 3, 1, 2)]
    # One shared layer, two cluster layers for each of two groups, one layer for each of 4 tasks.
    layers = (1 + 2 * 2 + 4) * layer
    assert model.count_parameters() == {
        "overall": embeddings + layers + 4 * pooler + sum(heads),
        "activated": embeddings + 4 * layer + pooler + max(heads),
    }


def test_layers_are_the_same_objects_exactly_where_the_hierarchy_shares_them(folder: Path) -> None:
    encoder = make_encoder(folder / "bert4", "bert", depth=4)
    model = HMNet(encoder, TASKS, HierarchySpec(1, 2, 1), GROUPS, seed=0)
    layers = {t.name: model.path(t.name).bert.encoder.layer for t in TASKS}  # type: ignore[union-attr]
    shared = [[layers["a"][i] is layers[other][i] for i in range(4)] for other in ("b", "c")]
    assert shared == [[True, True, True, False], [True, False, False, False]]
    assert not any(
        layers["a"][i] is encoder.layers[i] for i in range(4)
    )  # the source stays as it is


@pytest.mark.parametrize(
    "kind", ["bert", "roberta", "electra", "distilbert", "modernbert", "deberta-v2"]
)
def test_every_path_starts_as_the_stock_model(folder: Path, kind: str) -> None:
    encoder = make_encoder(folder / kind, kind, depth=3)
    model = HMNet(encoder, TASKS[:2], HierarchySpec(1, 1, 1), [["a"], ["b"]], seed=0).eval()
    stock = dict(encoder.model.named_parameters())
    own = {n for n, p in model.path("a").named_parameters() if not torch.equal(p, stock[n])}
    assert own <= encoder.missing | {n for n in stock if "classifier" in n or "out_proj" in n}
    split = make_data("a").train
    logits = compute_logits(model.path("a"), pack(split, [3, 1]), is_packable=encoder.is_packable)
    assert logits.shape == (2, 2)


def test_an_encoder_that_reuses_one_layer_is_refused(folder: Path) -> None:
    write_encoder(folder / "albert", "albert", depth=3)
    with pytest.raises(InputError, match=r"3 layers form one list.*Found 0.*`albert`"):
        load_encoder(str(folder / "albert"))


def test_a_hierarchy_of_another_depth_is_refused(folder: Path) -> None:
    encoder = make_encoder(folder / "bert4", "bert", depth=4)
    with pytest.raises(InputError, match=r"sum to the encoder's depth, 4. Found `8,2,2`"):
        HMNet(encoder, TASKS, HierarchySpec(8, 2, 2), GROUPS, seed=0)


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (12, "8,2,2"),
        (24, "16,4,4"),
        (6, "4,1,1"),
        (4, "2,1,1"),
        (3, "1,1,1"),
        (2, "1,1,0"),
        (1, "0,1,0"),
    ],
)
def test_the_default_hierarchy_keeps_the_papers_proportions(depth: int, expected: str) -> None:
    assert str(HierarchySpec.default(depth)) == expected


def test_the_fingerprint_is_that_of_the_weights_not_of_the_place(
    folder: Path, tmp_path: Path
) -> None:
    one = identify(str(write_encoder(folder / "one")))
    other = identify(str(write_encoder(tmp_path / "other")))
    assert one.fingerprint == other.fingerprint
    assert identify(str(write_encoder(tmp_path / "deeper", depth=4))).fingerprint != one.fingerprint


def test_a_model_that_is_not_there_says_how_to_go_on() -> None:
    with pytest.raises(SourceError, match=r"--model DIR.*relevance demo"):
        load_encoder("somebody/no-such-encoder")


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5])
def test_dropout_keeps_the_stated_share_and_the_expectation(p: float) -> None:
    seed_dropout(0)
    values = drop(torch.ones(400, 501), p)
    kept = float((values > 0).float().mean())
    # The standard error of the rate over n = 200,400 elements is sqrt(p (1 - p) / n) < .0012.
    assert kept == pytest.approx(1 - p, abs=0.005)
    assert float(values.max()) == pytest.approx(1 / (1 - p), rel=1e-4)


def test_a_seed_is_what_it_is_to_torch_without_the_stack_that_torch_notes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    monkeypatch.setattr("traceback.format_stack", pytest.fail)  # milliseconds of every step
    seed_dropout(7)
    assert torch.equal(torch.rand(3), expected)


def test_dropout_masks_are_independent_along_rows_columns_and_words() -> None:
    seed_dropout(1)
    mask = (drop(torch.ones(512, 512), 0.5) > 0).float().numpy() - 0.5
    for shift in (1, 2, 3, 4, 512):
        flat = mask.ravel()
        correlation = float(np.mean(flat[:-shift] * flat[shift:])) / 0.25
        assert abs(correlation) < 5 / np.sqrt(flat.size)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_a_mask_does_not_depend_on_the_type_of_what_it_is_for(p: float) -> None:
    masks = []
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        seed_dropout(3)
        keep, _ = draw_keep_mask(torch.empty(37, 53, dtype=dtype), p)
        assert keep.dtype == dtype
        masks.append(keep.float())
    assert set(masks[0].unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(masks[0], masks[1])
    assert torch.equal(masks[0], masks[2])


def test_dropout_reaches_every_bit_of_the_random_words() -> None:
    seed_dropout(2)
    # With p = 1/2 the decision is the sign of each 16-bit part, the top bit of a 64-bit word too.
    kept = (drop(torch.ones(1 << 16), 0.5) > 0).view(-1, 4).float().mean(0)
    assert torch.allclose(kept, torch.full((4,), 0.5), atol=0.02)


@pytest.mark.parametrize("kind", ["bert", "distilbert"])
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_an_input_converted_once_gives_the_same_outputs(
    tmp_path: Path, kind: str, precision: str
) -> None:
    encoder = make_encoder(tmp_path, kind)
    batch = pack(make_data("alpha").train, range(22))
    outputs, types = [], []
    encoder.model.get_submodule(_FIRST_QUERY[kind]).register_forward_hook(
        lambda module, args, output: types.append(args[0].dtype)
    )
    for _ in range(2):
        with torch.inference_mode(), autocast(precision, torch.device("cpu")):
            outputs.append(compute_logits(encoder.model, batch, is_packable=True))
        for module in encoder.model.modules():
            module._forward_pre_hooks.clear()
    assert torch.equal(*outputs)
    converted = torch.bfloat16 if (kind, precision) == ("bert", "bf16") else torch.float32
    assert types == [converted, torch.float32]


_FIRST_QUERY = {
    "bert": "bert.encoder.layer.0.attention.self.query",
    "distilbert": "distilbert.transformer.layer.0.attention.q_lin",
}
