"""What is loaded is what was identified: encoder, configuration and tokenizer, in every process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from made import write_encoder as write_weights
from safetensors.torch import load_file, save_file
from tiny_study import write_study
from transformers import AutoConfig, AutoModelForSequenceClassification

from hmnet.encoders.config import load_config
from hmnet.encoders.load import load_encoder
from hmnet.encoders.locate import identify, load_tokenizer
from hmnet.errors import InputError
from hmnet.jobs.prepared import PreparedStudy, prepare_study
from hmnet.runs.job import Machine
from hmnet.runs.store import RunStore
from hmnet.study.study import load_study
from hmnet.training.execution import execute

KINDS = ("bert", "roberta", "electra", "deberta-v2", "mpnet", "distilbert", "modernbert")


@pytest.fixture
def prepared(tmp_path: Path) -> PreparedStudy:
    return prepare_study(load_study(write_study(tmp_path)), tmp_path / "data-of-runs")


def change_weights(encoder: Path) -> None:
    tensors = load_file(encoder / "model.safetensors")
    save_file({k: v * 1.5 for k, v in tensors.items()}, encoder / "model.safetensors", {})


def change_config(encoder: Path) -> None:
    change(encoder / "config.json", layer_norm_eps=1e-3)


def add_weights(encoder: Path) -> None:
    save_file({"extra": torch.zeros(1)}, encoder / "other.safetensors")


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


@pytest.mark.parametrize("replace", [change_weights, change_config, add_weights])
def test_an_encoder_that_was_replaced_after_planning_is_not_trained(
    prepared: PreparedStudy, tmp_path: Path, replace: Callable[[Path], None]
) -> None:
    job = prepared.single("tone", 0)
    replace(tmp_path / "encoder")
    store = RunStore(tmp_path / "runs")
    with pytest.raises(InputError, match="its files were replaced") as error:
        execute(job, store, Machine())
    assert len(error.value.problems) == 1
    assert not store.is_done(job.spec)


def test_an_encoder_in_memory_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    folder = write_weights(tmp_path / "encoder")
    first = identify(str(folder)).fingerprint
    kept = load_encoder(str(folder), None, None, first)
    change_weights(folder)
    second = identify(str(folder)).fingerprint
    assert load_encoder(str(folder), None, None, first) is kept
    assert load_encoder(str(folder), None, None, second) is not kept


def test_a_tokenizer_that_was_replaced_is_not_stored_with_a_model(
    prepared: PreparedStudy, tmp_path: Path
) -> None:
    job = prepared.single("tone", 0, keep_model=True)
    path = tmp_path / "encoder" / "tokenizer.json"
    content = json.loads(path.read_text())
    words = content["model"]["vocab"]
    words["bala"], words["bane"] = words["bane"], words["bala"]
    path.write_text(json.dumps(content))
    store = RunStore(tmp_path / "runs")
    with pytest.raises(InputError, match="the tokenizer that the rows were tokenised with"):
        execute(job, store, Machine())
    assert not store.is_done(job.spec)


def test_a_file_that_changes_while_it_is_read_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_weights(tmp_path / "encoder")
    found = identify(str(folder)).fingerprint
    plain = load_config

    def load_late(path: Path) -> Any:
        change_weights(path)
        return plain(path)

    monkeypatch.setattr("hmnet.encoders.load.load_config", load_late)
    with pytest.raises(InputError, match="changed while they were read"):
        load_encoder(str(folder), None, None, found)


def test_a_branch_of_the_hub_is_pinned_where_it_is_first_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "a" * 40
    blobs = tmp_path / "models--some--encoder" / "blobs"
    cached = blobs.parent / "snapshots" / commit
    blobs.mkdir(parents=True)
    cached.mkdir(parents=True)
    for path in write_weights(tmp_path / "encoder").iterdir():
        shutil.copy(path, blobs / path.name)
        (cached / path.name).symlink_to(Path("../../blobs") / path.name)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *a, **k: str(cached))
    found = identify("some/encoder")
    assert found.revision == commit
    assert found.fingerprint == identify(str(tmp_path / "encoder")).fingerprint
    assert identify("some/encoder", "main").revision == commit
    load_encoder("some/encoder", commit, None, found.fingerprint)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_loaded_is_what_transformers_loads(tmp_path: Path, kind: str) -> None:
    folder = write_weights(tmp_path / kind, kind)
    torch.manual_seed(3)
    ours = load_encoder(str(folder))
    torch.manual_seed(3)
    stock = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=False)
    theirs = dict(stock.named_parameters())
    for name, value in ours.model.named_parameters():
        assert torch.equal(value, theirs[name]), name
    plain = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    for made in (ours.config, load_config(folder)):
        assert made.to_json_string() == plain.to_json_string()


def test_a_models_parts_are_those_of_its_index(tmp_path: Path) -> None:
    folder = write_weights(tmp_path / "encoder")
    whole = load_encoder(str(folder)).model.state_dict()
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    parts = {name: f"model-0000{i % 2 + 1}-of-00002.safetensors" for i, name in enumerate(tensors)}
    for part in set(parts.values()):
        save_file({k: v for k, v in tensors.items() if parts[k] == part}, folder / part)
    write_index(folder, parts)
    loaded = load_encoder(str(folder), None, 0.0).model.state_dict()
    same = [k for k in whole if "classifier" not in k and "pooler" not in k]
    assert all(torch.equal(whole[name], loaded[name]) for name in same)


def write_index(folder: Path, parts: dict[str, str]) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))


@pytest.mark.parametrize(
    "away", ["../secret.safetensors", "/etc/secret.safetensors", "pytorch_model.bin", "gone.x"]
)
def test_an_index_that_leads_elsewhere_is_refused(tmp_path: Path, away: str) -> None:
    folder = write_weights(tmp_path / "encoder")
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    (tmp_path / "secret.safetensors").write_bytes((folder / "model-1.safetensors").read_bytes())
    write_index(folder, {"a": "model-1.safetensors", "b": away})
    for load in (identify, load_encoder):
        with pytest.raises(InputError, match=r"index\.json") as error:
            load(str(folder))
        assert len(error.value.problems) == 1


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocab.txt"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    folder = write_weights(tmp_path / "encoder")
    away = tmp_path / "elsewhere"
    away.write_bytes((folder / name).read_bytes() if (folder / name).exists() else b"secret")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(away)
    for load in (identify, load_encoder, load_tokenizer):
        with pytest.raises(InputError, match="should lie in its folder"):
            load(str(folder))


def test_other_files_that_transformers_would_load_are_not_looked_at(tmp_path: Path) -> None:
    folder = write_weights(tmp_path / "encoder")
    before = load_encoder(str(folder)).model.state_dict()
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    change_weights(other)
    (other / "model.safetensors").rename(folder / "adapter_model.safetensors")
    change(folder / "config.json", transformers_weights="adapter_model.safetensors")
    adapter = {"base_model_name_or_path": str(other), "peft_type": "LORA"}
    (folder / "adapter_config.json").write_text(json.dumps(adapter))
    after = load_encoder(str(folder), None, 0.0).model.state_dict()
    name = "bert.embeddings.word_embeddings.weight"
    assert torch.equal(before[name], after[name])


@pytest.mark.parametrize("place", ["top", "nested"])
@pytest.mark.parametrize(
    "key", ["attn_implementation", "_attn_implementation", "_experts_implementation"]
)
def test_a_configuration_does_not_choose_kernels(tmp_path: Path, key: str, place: str) -> None:
    folder = write_weights(tmp_path / "encoder")
    asked = {key: "somebody/kernels:attend"}
    change(folder / "config.json", **(asked if place == "top" else {"text_config": asked}))
    assert "somebody" not in load_config(folder).to_json_string()
    assert "somebody" not in str(vars(load_config(folder)))
    assert load_encoder(str(folder)).is_packable


@pytest.mark.parametrize("method", ["bitsandbytes", "gptq", "no-such-method"])
def test_a_configuration_does_not_choose_how_weights_are_read(tmp_path: Path, method: str) -> None:
    folder = write_weights(tmp_path / "encoder")
    change(folder / "config.json", quantization_config={"quant_method": method})
    with pytest.raises(InputError, match=r"Parameter `quantization_config` should be left out"):
        load_encoder(str(folder))


def test_a_tokenizers_configuration_names_no_file_elsewhere(tmp_path: Path) -> None:
    write_study(tmp_path)
    (tmp_path / "secret").write_text("s3cret\n")
    folder = tmp_path / "encoder"
    change(folder / "tokenizer_config.json", vocab_file=str(tmp_path / "secret"))
    with pytest.raises(InputError, match=r"tokenizer_config\.json: Parameter `vocab_file`"):
        load_tokenizer(str(folder))
    change(folder / "tokenizer_config.json", vocab_file="/home/of/its/author/vocab.txt")
    load_tokenizer(str(folder))


@pytest.mark.parametrize("is_offline", [True, False])
def test_the_shell_decides_no_byte_of_a_stored_tokenizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_offline: bool
) -> None:
    write_study(tmp_path)
    monkeypatch.setattr("transformers.tokenization_utils_base.is_offline_mode", lambda: is_offline)
    load_tokenizer(str(tmp_path / "encoder")).save_pretrained(tmp_path / "stored")
    stored = json.loads((tmp_path / "stored" / "tokenizer_config.json").read_text())
    assert stored.get("local_files_only", False) is False
