"""A tokenizer and an encoder that do not belong together are refused before anything runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from own_rows import make_texts, prepare_own
from tiny_study import write_encoder
from transformers import AutoTokenizer, BertConfig

from hmnet.encoders.locate import load_tokenizer, read_max_positions
from hmnet.encoders.parts import find_missing_parts
from hmnet.encoders.tokenizer_fit import find_doubts
from hmnet.errors import InputError

TEXTS = make_texts(12)
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


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


@pytest.mark.parametrize(
    ("options", "words", "is_said"),
    [
        ({}, ["Rain", "Sun", "rain"], True),
        ({"do_lower_case": False}, ["Rain", "Sun", "rain"], False),
        ({}, ["rain", "sun"], False),
    ],
)
def test_a_vocabulary_with_capitals_that_no_text_can_reach_is_told(
    tmp_path: Path, options: dict[str, bool], words: list[str], is_said: bool
) -> None:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (tmp_path / "vocab.txt").write_text("\n".join([*special, *words]) + "\n")
    BertConfig(vocab_size=5 + len(words)).save_pretrained(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(options))
    tokenizer = load_tokenizer(str(tmp_path))
    said = "\n".join(find_doubts({}, tokenizer, len(tokenizer)))
    assert ("in small letters" in said) == is_said


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"config.json": "{}", "model.safetensors": LFS}, "a pointer of Git LFS; `git lfs pull`"),
        ({"config.json": LFS, "model.safetensors": ""}, "config.json: it should be a whole file"),
        ({"model.gguf": ""}, "model.gguf, which cannot be trained"),
        ({"README.md": ""}, "`hf download"),
        ({"config.json": "{}", "model.safetensors": ""}, "which has none"),
        (
            {
                "config.json": '{"max_position_embeddings": 9}',
                "model.safetensors": "",
                "vocab.txt": "",
            },
            "`max_length` should be at most 9",
        ),
    ],
)
def test_what_a_folder_lacks_is_told_before_anything_is_loaded(
    tmp_path: Path, files: dict[str, str], said: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    (found,) = find_missing_parts(str(tmp_path), max_length=16)
    assert said in found


def test_a_whole_encoder_lacks_nothing_and_a_hub_id_is_not_looked_up(tmp_path: Path) -> None:
    write_encoder(tmp_path)
    assert list(find_missing_parts(str(tmp_path), 16)) == []
    assert list(find_missing_parts("owner/name", 16)) == []
    assert "which does not exist" in next(find_missing_parts("./nowhere", 16))


@pytest.mark.parametrize("content", ["{}", "[]", '{"model": {}}', "{"])
def test_a_damaged_tokenizer_is_told_as_damaged(tmp_path: Path, content: str) -> None:
    write_encoder(tmp_path)
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError) as caught:
        load_tokenizer(str(tmp_path))
    assert len(str(caught.value)) > 60
