"""A hundred model folders of wrong kinds: one sentence each, in bounded time and memory."""

from __future__ import annotations

import json
import os
import resource
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from made import write_encoder as write_weights
from safetensors.torch import load_file, save_file
from tiny_study import write_study

from hmnet.encoders.load import load_encoder
from hmnet.encoders.locate import identify, load_tokenizer, read_depth, read_max_positions
from hmnet.errors import RelevanceError

Damage = Callable[[Path], object]
MOST_S = 10.0
MOST_BYTES = 600 * 2**20
READERS: tuple[Callable[[str], object], ...] = (
    identify,
    read_depth,
    read_max_positions,
    load_tokenizer,
    load_encoder,
)
TEXTS = ("config.json", "tokenizer.json", "tokenizer_config.json")
SIZES = (
    "num_hidden_layers",
    "hidden_size",
    "num_attention_heads",
    "vocab_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_labels",
)
ODD = (10**9, 10**30, -1, 0, 2.5, "three", None, [], {"a": 1}, True)


def change(path: Path, fields: dict[str, object]) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def overwrite(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content)


def cut(name: str, share: float) -> Damage:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * share)])

    return damage


def put(name: str, make: Callable[[Path], object]) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        make(folder / name)

    return damage


def set_fields(**fields: object) -> Damage:
    return lambda folder: change(folder / "config.json", fields)


def claim_header(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 2**62) + b"{}")


def grow(folder: Path) -> None:
    os.truncate(folder / "model.safetensors", 2**40)  # sparse: it takes no room


def change_tensors(alter: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / "model.safetensors"
        save_file(alter(load_file(path)), path)

    return damage


def list_damages() -> Iterator[tuple[str, Damage]]:
    for name in (*TEXTS, "model.safetensors"):
        for share in (0.0, 0.1, 0.5, 0.99):
            yield f"{name} cut to {share}", cut(name, share)
        yield f"{name} of zeros", overwrite(name, bytes(4096))
        yield f"{name} of noise", overwrite(name, bytes(range(256)) * 16)
        yield f"{name} a pipe", put(name, os.mkfifo)
        yield f"{name} a folder", put(name, Path.mkdir)
        yield f"{name} a device", put(name, lambda path: path.symlink_to("/dev/zero"))
        yield f"{name} a loop", put(name, lambda path: path.symlink_to(path.name))
        yield f"{name} a dead link", put(name, lambda path: path.symlink_to("nowhere"))
        yield f"{name} a link to a secret", put(name, lambda path: path.symlink_to("/etc/passwd"))
    for name in TEXTS:
        yield f"{name} a list", overwrite(name, b"[1, 2]")
        yield f"{name} a number", overwrite(name, b"3")
        yield f"{name} nested", overwrite(name, b'{"a":' * 100_000)
        yield f"{name} of 1 TB", put(name, lambda path: (path.touch(), os.truncate(path, 2**40)))
    yield "no config", lambda folder: (folder / "config.json").unlink()
    yield "no weights", lambda folder: (folder / "model.safetensors").unlink()
    yield "an empty folder", lambda folder: [path.unlink() for path in folder.iterdir()]
    for kind in ("gpt-9", "", 3, None, "clip", "whisper", "vit"):
        yield f"a model of type {kind}", set_fields(model_type=kind)
    for name in SIZES:
        for value in ODD:
            yield f"{name} {value}", set_fields(**{name: value})
    for name, odd in (
        ("hidden_act", "no such function"),
        ("hidden_act", 3),
        ("id2label", [1]),
        ("id2label", {"x": 1}),
        ("dtype", "float1024"),
        ("torch_dtype", 7),
        ("layer_norm_eps", "small"),
        ("hidden_dropout_prob", 5.0),
        ("pad_token_id", 10**6),
        ("pad_token_id", "x"),
        ("pruned_heads", {"0": [10**9]}),
        ("architectures", 3),
        ("quantization_config", {"quant_method": "x"}),
        ("quantization_config", "x"),
        ("problem_type", 3),
        ("chunk_size_feed_forward", 7),
    ):
        yield f"{name} {odd}", set_fields(**{name: odd})
    yield "a header that claims everything", claim_header
    yield "weights of 1 TB", grow
    yield "no tensor", change_tensors(lambda tensors: {})
    yield "half the tensors", change_tensors(lambda t: dict(list(t.items())[: len(t) // 2]))
    yield "other shapes", change_tensors(lambda t: {k: torch.zeros(3) for k in t})
    yield "other names", change_tensors(lambda t: {f"x.{k}": v for k, v in t.items()})
    yield "integers", change_tensors(lambda t: {k: v.to(torch.int8) for k, v in t.items()})


DAMAGES = dict(list_damages())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    write_study(folder)
    write_weights(folder / "encoder")
    return folder / "encoder"


def test_there_are_a_hundred() -> None:
    assert len(DAMAGES) >= 100


@pytest.mark.parametrize("name", DAMAGES)
def test_a_wrong_folder_is_refused_in_sentences_and_in_time(
    whole: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(whole, folder)
    DAMAGES[name](folder)
    before, began = measure_peak(), time.monotonic()
    for read in READERS:
        said = refuse(read, str(folder))
        assert said is None or (str(folder) in said and "\n" not in said and len(said) < 700), said
    assert time.monotonic() - began < MOST_S
    assert measure_peak() - before < MOST_BYTES


def refuse(read: Callable[[str], Any], name: str) -> str | None:
    """Return the first sentence that a reader refuses a folder with; None where it reads it."""
    try:
        read(name)
    except RelevanceError as error:
        return error.problems[0]
    return None


def measure_peak() -> int:
    """Return the most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


REFUSED = [
    name
    for name in DAMAGES
    if name.startswith(("config.json", "model.safetensors", "a model", "no ", "half", "other"))
    or name.endswith(("1000000000", "000000000000"))
]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_an_encoder_is_refused(whole: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(whole, folder)
    DAMAGES[name](folder)
    assert refuse(load_encoder, str(folder)) is not None
