"""A tokenizer and an encoder that do not belong together are refused before anything runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from own_rows import make_texts, prepare_own
from tiny_study import write_encoder
from transformers import AutoTokenizer

from hmnet.encoders.locate import load_tokenizer, read_max_positions
from hmnet.encoders.tokenizer_fit import find_doubts
from hmnet.errors import InputError

TEXTS = make_texts(12)


@pytest.mark.parametrize("left", [[], ["tokenizer_config.json"], ["special_tokens_map.json"]])
def test_a_folder_without_a_vocabulary_is_refused(tmp_path: Path, left: list[str]) -> None:
    write_encoder(tmp_path / "whole")
    (tmp_path / "bare").mkdir()
    for name in ("config.json", "model.safetensors", *left):
        if (tmp_path / "whole" / name).exists():
            shutil.copy(tmp_path / "whole" / name, tmp_path / "bare" / name)
    with pytest.raises(InputError, match="should be a folder with a tokenizer"):
        load_tokenizer(str(tmp_path / "bare"))


def test_a_tokenizer_of_special_tokens_alone_is_refused(tmp_path: Path) -> None:
    write_encoder(tmp_path)
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text())
    special = {entry["content"] for entry in content["added_tokens"]}
    vocabulary = content["model"]["vocab"]
    content["model"]["vocab"] = {k: v for k, v in vocabulary.items() if k in special}
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="special tokens alone"):
        load_tokenizer(str(tmp_path))


def test_a_tokenizer_with_more_entries_than_embeddings_is_refused(tmp_path: Path) -> None:
    write_encoder(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "vocab_size": 12}))
    with pytest.raises(InputError, match="below the 12 embeddings"):
        load_tokenizer(str(tmp_path))


def test_a_token_that_was_added_without_an_embedding_is_refused_where_it_is_used(
    tmp_path: Path,
) -> None:
    write_encoder(tmp_path / "encoder")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "encoder")
    tokenizer.add_tokens([f"zz{i}" for i in range(120)])
    tokenizer.save_pretrained(tmp_path / "encoder")
    rows = [(text, "ab"[i % 2]) for i, text in enumerate(TEXTS)]
    assert prepare_own(tmp_path, {"t": (("a", "b"), rows, rows)})
    beyond = [(f"{text} zz119", label) for text, label in rows]
    with pytest.raises(InputError, match="below the 120 embeddings"):
        prepare_own(tmp_path, {"t": (("a", "b"), rows, beyond)})


@pytest.mark.parametrize("texts", ["Просто текст о погоде", "xylophone quartz jumps", "很好 不好"])
def test_texts_of_unknown_pieces_are_refused(tmp_path: Path, texts: str) -> None:
    rows = [(f"{texts} {texts[i:]}", "ab"[i % 2]) for i in range(4)]
    with pytest.raises(InputError, match="should know the pieces of the texts"):
        prepare_own(tmp_path, {"t": (("a", "b"), rows, rows)})


def test_some_unknown_pieces_and_many_spare_embeddings_are_told(tmp_path: Path) -> None:
    rows = [(f"{text} quartz", "ab"[i % 2]) for i, text in enumerate(TEXTS)]
    found = prepare_own(tmp_path, {"t": (("a", "b"), rows, rows)}).oddities
    # 1 unknown piece of 5 in each row; 25 entries for 120 embeddings
    assert "20% of the pieces of its training split are unknown" in "\n".join(found)
    assert "25 entries and the encoder 120 embeddings" in found[0]
    assert not list(find_doubts({}, load_tokenizer(str(tmp_path / "encoder")), 25))


@pytest.mark.parametrize(("stated", "most"), [(-1, None), (0, None), (64, 64)])
def test_no_stated_limit_of_positions_is_none(
    tmp_path: Path, stated: int, most: int | None
) -> None:
    write_encoder(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    content = json.dumps({**config, "max_position_embeddings": stated})
    (tmp_path / "config.json").write_text(content)
    assert read_max_positions(str(tmp_path)) == most
