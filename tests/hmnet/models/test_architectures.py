"""What was tried: each architecture is trained, exported and reloaded with the same numbers, or
refused by its name."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from made import make_config
from own_rows import make_texts, write_own_study
from places import ROOT

from hmnet.commands.export import export_task
from hmnet.commands.predict import predict_file
from hmnet.commands.train import Design, train_hierarchy
from hmnet.encoders.load import load_encoder
from hmnet.encoders.locate import identify
from hmnet.errors import InputError
from hmnet.folder.outputs import open_output
from hmnet.study.study import load_study

SMALL = {
    "vocab_size": 120,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
TEXTS = make_texts(12)
# name to the class of its configuration, what it has beside SMALL, and whether batches are packed
TRIED: dict[str, tuple[str, dict[str, Any], bool]] = {
    "bert": ("BertConfig", {}, True),
    "roberta": ("RobertaConfig", {}, True),
    "xlm-roberta": ("XLMRobertaConfig", {}, True),
    "camembert": ("CamembertConfig", {}, True),
    "electra": ("ElectraConfig", {"embedding_size": 8}, True),
    "ernie": ("ErnieConfig", {}, True),
    "data2vec-text": ("Data2VecTextConfig", {}, True),
    "layoutlm": ("LayoutLMConfig", {}, True),
    "esm": ("EsmConfig", {"position_embedding_type": "absolute", "mask_token_id": 4}, True),
    "xlm-roberta-xl": ("XLMRobertaXLConfig", {}, False),
    "deberta": ("DebertaConfig", {}, False),
    "deberta-v2": ("DebertaV2Config", {}, False),
    "mpnet": ("MPNetConfig", {}, False),
    "mobilebert": (
        "MobileBertConfig",
        {"intra_bottleneck_size": 8, "embedding_size": 8, "true_hidden_size": 8},
        False,
    ),
    "squeezebert": ("SqueezeBertConfig", {"embedding_size": 16}, False),
    "roformer": ("RoFormerConfig", {"embedding_size": 16}, False),
    "longformer": ("LongformerConfig", {"attention_window": 16}, False),
    "big_bird": ("BigBirdConfig", {"attention_type": "original_full"}, False),
    "rembert": ("RemBertConfig", {"input_embedding_size": 8}, False),
    "ibert": ("IBertConfig", {}, False),
    "megatron-bert": ("MegatronBertConfig", {}, False),
    "roberta-prelayernorm": ("RobertaPreLayerNormConfig", {}, False),
}
HEADS = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "albert": ("AlbertConfig", {"embedding_size": 8}),
    "convbert": ("ConvBertConfig", {"embedding_size": 8}),
    "fnet": ("FNetConfig", {}),
    "nystromformer": ("NystromformerConfig", {"num_landmarks": 4, "segment_means_seq_len": 64}),
    "canine": ("CanineConfig", {}),
    "yoso": ("YosoConfig", {}),
    "bart": ("BartConfig", {"d_model": 16, "encoder_layers": 3, "decoder_layers": 3, **HEADS}),
    "t5": ("T5Config", {"d_model": 16, "num_layers": 3, "num_heads": 2, "d_ff": 16, "d_kv": 8}),
    "xlm": ("XLMConfig", {"emb_dim": 16, "n_layers": 3, "n_heads": 2}),
    "flaubert": ("FlaubertConfig", {"emb_dim": 16, "n_layers": 3, "n_heads": 2}),
}


def write_encoder(folder: Path, config: Any) -> None:
    """Write random weights beside the made tokenizer that is there."""
    config.initializer_range = 0.2  # large enough to tell inputs apart
    torch.manual_seed(0)
    transformers.AutoModel.from_config(config).save_pretrained(folder)


def make(kind: str, options: dict[str, Any]) -> Any:
    return getattr(transformers, kind)(**SMALL, **options)


def train(folder: Path) -> tuple[Any, str]:
    rows = [(text, "ab"[i % 2]) for i, text in enumerate(TEXTS)]
    study = write_own_study(folder, {"t": (("a", "b"), rows, rows), "u": (("a", "b"), rows, rows)})
    groups = folder / "groups.json"
    groups.write_text(json.dumps({"schema": "groups/1", "groups": {"g": ["t", "u"]}}))
    output = open_output(folder / "out")
    plan = load_study(study, {"training.epochs": 1})
    return output, train_hierarchy(output, plan, Design(groups, "1,1,1"), threads=1)[0]


def check_export(folder: Path) -> None:
    output, run = train(folder)
    export_task(output, run, "t", folder / "exported")
    rows = folder / "new.jsonl"
    rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    said = predict_file(output, run, "t", rows).outputs["t"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "exported")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder / "exported")
    with torch.no_grad():
        logits = [
            model.eval()(**tokenizer(text, return_tensors="pt", truncation=True)).logits[0]
            for text in TEXTS
        ]
    found = torch.stack(logits).softmax(-1)
    expected = torch.tensor([list(row["probabilities"].values()) for row in said])
    assert (found - expected).abs().max() < 1e-6
    assert found[:, 0].std() > 1e-5, "texts are told apart"


@pytest.mark.parametrize("name", TRIED)
def test_an_architecture_is_trained_exported_and_reloaded_with_the_same_numbers(
    tmp_path: Path, name: str
) -> None:
    kind, options, is_packed = TRIED[name]
    write_own_study(tmp_path, {})
    write_encoder(tmp_path / "encoder", make(kind, options))
    assert load_encoder(str(tmp_path / "encoder")).is_packable == is_packed
    check_export(tmp_path)


@pytest.mark.parametrize("name", ["distilbert", "modernbert"])
def test_so_is_one_with_names_of_its_own_for_its_sizes(tmp_path: Path, name: str) -> None:
    write_own_study(tmp_path, {})
    write_encoder(tmp_path / "encoder", make_config(name, 3))
    check_export(tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_another_architecture_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    kind, options = REFUSED[name]
    write_encoder(tmp_path, make(kind, options))
    with pytest.raises(InputError, match=f"architecture `{name}`"):
        load_encoder(str(tmp_path))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["config.json", "pytorch_model.bin"], "convert it once"),
        (["0_Transformer/config.json", "modules.json"], "--model {folder}/0_Transformer"),
        (["config.json", "tf_model.h5"], "Found tf_model.h5"),
        (["adapter_config.json"], "It holds an adapter"),
    ],
)
def test_an_older_layout_is_answered_with_the_way_on(
    tmp_path: Path, files: list[str], said: str
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    with pytest.raises(InputError) as caught:
        identify(str(tmp_path))
    assert said.format(folder=tmp_path) in str(caught.value)


def test_the_table_of_architectures_names_all_that_were_tried_and_refused() -> None:
    text = (ROOT / "docs" / "encoders.md").read_text()
    tried, refused = (spell(part) for part in text.split("Refused by their names"))
    assert [name for name in TRIED if spell(name) not in tried] == []
    assert [name for name in (*REFUSED, "xlnet") if spell(name) not in refused] == []
    assert len(TRIED) >= 16


def spell(text: str) -> str:
    """Return the letters and digits of a text alone, without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if c.isalnum())
