"""A model folder from anywhere: its weights and words are read, its code is never run."""

from __future__ import annotations

import ast
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_study import write_encoder

from hmnet.encoders.load import load_encoder
from hmnet.encoders.locate import identify, load_config, load_tokenizer, read_depth
from hmnet.errors import InputError

AUTO_MAP = {
    "AutoConfig": "planted.Config",
    "AutoModel": "planted.Model",
    "AutoModelForSequenceClassification": "planted.Model",
}
LOADERS: list[Callable[[str], Any]] = [
    lambda name: load_config(Path(name)),
    read_depth,
    load_encoder,
    load_tokenizer,
]


@pytest.fixture(autouse=True)
def _somebody_who_says_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer `y` to whatever is asked on the terminal, as transformers would by default."""
    monkeypatch.setattr("builtins.input", lambda *words: "y")


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "the-code-was-run"


@pytest.fixture
def folder(tmp_path: Path, marker: Path) -> Path:
    """An encoder with code beside it that leaves a mark when it is run."""
    folder = tmp_path / "encoder"
    write_encoder(folder)
    (folder / "planted.py").write_text(
        f"from pathlib import Path\nPath({str(marker)!r}).touch()\n"
        "from transformers import BertConfig as Config\n"
        "from transformers import BertForSequenceClassification as Model\n"
        "from transformers import PreTrainedTokenizerFast as Tokenizer\n"
    )
    change(folder / "config.json", auto_map=AUTO_MAP)
    tokenizer = {"AutoTokenizer": [None, "planted.Tokenizer"]}
    change(folder / "tokenizer_config.json", auto_map=tokenizer)
    return folder


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


@pytest.mark.parametrize("load", LOADERS)
def test_code_beside_an_encoder_of_a_known_kind_is_not_looked_at(
    folder: Path, marker: Path, load: Callable[[str], Any]
) -> None:
    assert load(str(folder))
    assert not marker.exists()


@pytest.mark.parametrize("load", LOADERS)
def test_an_encoder_that_needs_code_of_its_own_is_refused_in_a_sentence(
    folder: Path, marker: Path, load: Callable[[str], Any]
) -> None:
    change(folder / "config.json", model_type="planted")
    change(folder / "tokenizer_config.json", tokenizer_class="PlantedTokenizer")
    with pytest.raises(InputError, match=r"code that comes with a model is not run\.$") as error:
        load(str(folder))
    assert len(error.value.problems) == 1
    assert "\n" not in error.value.problems[0]
    assert not marker.exists()


class _Touch:
    """Unpickling it touches a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("load", [identify, load_encoder])
def test_weights_that_are_no_safetensors_are_refused_unread(
    folder: Path, marker: Path, load: Callable[[str], Any]
) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Touch(marker)))
    with pytest.raises(InputError, match="safetensors") as error:
        load(str(folder))
    assert len(error.value.problems) == 1
    assert not marker.exists()


def test_every_call_that_could_run_a_models_code_says_that_it_must_not(root: Path) -> None:
    found = 0
    for path in (
        p for name in ("hmnet", "relevance", "analysis") for p in (root / name).rglob("*")
    ):
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and _loads_a_model(node.func):
                    said = {word.arg: word.value for word in node.keywords}.get("trust_remote_code")
                    assert isinstance(said, ast.Constant), f"{path}:{node.lineno}"
                    assert said.value is False, f"{path}:{node.lineno}"
                    found += 1
    assert found


def _loads_a_model(called: ast.expr) -> bool:
    return isinstance(called, ast.Attribute) and called.attr in ("from_pretrained", "from_config")
