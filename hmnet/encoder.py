"""Pretrained encoders: finding, identifying and loading them.

Weights are read from safetensors only. No code of a repository or folder is ever run: every call
of transformers that could says `trust_remote_code=False`, since its default asks on a terminal.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers import logging as transformers_logging

from hmnet.attention import ATTENTION
from hmnet.cast_once import cast_once
from hmnet.dropout import replace_dropout
from hmnet.errors import InputError, SourceError, first_line
from hmnet.first_token import read_first_tokens_only
from hmnet.forward import packs_exactly
from hmnet.packing import keep_first_tokens
from hmnet.runs import ModelRef
from hmnet.storage import digest, digest_file

_FILES = ("*.json", "*.txt", "*.model", "model*.safetensors")


@dataclass(frozen=True)
class Encoder:
    """A loaded sequence classifier that runs are copied from; never trained itself.

    Attributes:
        model: the stock model, in fp32.
        layers: its Transformer layers, bottom first.
        missing: names of parameters that the checkpoint does not hold (new heads).
        is_packable: whether packed batches give what one-by-one passes give.
    """

    model: nn.Module
    layers: nn.ModuleList
    missing: frozenset[str]
    is_packable: bool

    @property
    def depth(self) -> int:
        """Number of Transformer layers."""
        return len(self.layers)


def find_folder(name: str, revision: str | None = None) -> Path:
    """Return the local folder of an encoder, downloading it from the hub where needed.

    Raises:
        SourceError: if there is no such folder and the hub cannot be reached.
    """
    if Path(name).is_dir():
        return Path(name)
    if name.startswith(("/", "./", "../", "~")):
        raise SourceError(f"Parameter `model` should be a folder or a hub id. Found `{name}`.")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(_FILES)))
    except Exception as error:  # the hub's client raises many kinds; all mean the same here
        raise SourceError(
            f"Encoder `{name}` could not be loaded from the hub: {type(error).__name__}. "
            "Go on with `--model DIR` (a local model folder), or try `relevance demo`, "
            "which needs no network."
        ) from error


def identify(name: str, revision: str | None = None) -> ModelRef:
    """Return the encoder's reference, with the fingerprint of configuration and weights.

    Raises:
        InputError: if the folder lacks a configuration or safetensors weights.
    """
    folder = find_folder(name, revision)
    weights = sorted(folder.glob("*.safetensors"))
    missing = [] if (folder / "config.json").exists() else ["config.json"]
    missing += [] if weights else ["model.safetensors"]
    if missing:
        raise InputError(
            f"Parameter `model` should be a folder with configuration and safetensors weights. "
            f"`{folder}` lacks {' and '.join(missing)}."
        )
    parts = [digest_file(path) for path in (folder / "config.json", *weights)]
    is_local = folder == Path(name)
    return ModelRef(name, None if is_local else revision, digest(*parts))


def load_tokenizer(name: str, revision: str | None = None) -> Any:
    """Load an encoder's fast tokenizer.

    Raises:
        InputError: if the encoder has no fast tokenizer.
    """
    folder = find_folder(name, revision)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"Parameter `tokenizer` should be a folder or hub id with a tokenizer. "
            f"Found `{name}`: {_describe(error)}"
        ) from error
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(f"Parameter `tokenizer` should have a fast tokenizer. `{name}` has none.")
    return tokenizer


def load_config(folder: Path) -> Any:
    """Load the configuration of an encoder.

    Raises:
        InputError: if transformers knows no such encoder without running code from its folder.
    """
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"Parameter `model` should be an encoder that transformers knows. "
            f"`{folder}`: {_describe(error)}"
        ) from error


def _describe(error: Exception) -> str:
    """Return why transformers cannot load a folder; it would advise to run its code."""
    if "trust_remote_code" in str(error):
        return "it needs code of its own (`auto_map`), and code that comes with a model is not run."
    return first_line(error)


def read_depth(name: str, revision: str | None = None) -> int:
    """Return the number of layers that an encoder's configuration states."""
    return int(load_config(find_folder(name, revision)).num_hidden_layers)


def read_max_positions(name: str, revision: str | None = None) -> int | None:
    """Return the most tokens a sequence may have, or None where there is no limit."""
    config = load_config(find_folder(name, revision))
    positions = getattr(config, "max_position_embeddings", None)
    if positions is None:
        return None
    offset = (config.pad_token_id or 0) + 1 if config.model_type in _OFFSET_POSITIONS else 0
    return int(positions) - offset


_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "mpnet", "longformer")


@functools.lru_cache(maxsize=4)
def load_encoder(name: str, revision: str | None = None, dropout: float | None = None) -> Encoder:
    """Load the encoder with a sequence classification head; cached for the process.

    Args:
        dropout: probability for every dropout of the encoder; None keeps its own.

    Raises:
        InputError: if the architecture is not a single list of layers of the config's depth.
    """
    folder = find_folder(name, revision)
    config = load_config(folder)
    if dropout is not None:
        _set_dropout(config, dropout)
    with quiet():
        model, info = _load_model(folder, config)
    missing = frozenset(info["missing_keys"])
    layers = find_layers(model)
    if any(name_in_layers(key, model, layers) for key in missing):
        raise InputError(
            f"Parameter `model` should hold weights for every layer. `{folder}` lacks "
            f"{len(missing)} tensors, among them `{min(missing)}`."
        )
    return as_encoder(model, missing)


def as_encoder(model: nn.Module, missing: frozenset[str]) -> Encoder:
    """Prepare a stock sequence classifier: find its layers, cheap dropout, packed batches.

    Args:
        missing: names of parameters that hold no trained values.

    Raises:
        InputError: if the architecture is not a single list of layers of the config's depth.
    """
    layers = find_layers(model)
    replace_dropout(model)
    cast_once(model)
    return _with_packing(model.eval(), layers, missing)


def _load_model(folder: Path, config: Any) -> tuple[nn.Module, dict[str, Any]]:
    options = {"config": config, "use_safetensors": True, "output_loading_info": True}
    try:
        return AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32, trust_remote_code=False, **options
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(
            f"Parameter `model` should be an encoder that AutoModelForSequenceClassification "
            f"loads. `{folder}`: {_describe(error)}"
        ) from error


def _set_dropout(config: Any, dropout: float) -> None:
    for name, value in config.to_dict().items():
        if "dropout" in name and isinstance(value, float | int) and not isinstance(value, bool):
            setattr(config, name, dropout)


def find_layers(model: nn.Module) -> nn.ModuleList:
    """Return the one list of Transformer layers of the configured depth.

    Raises:
        InputError: if there is no such list (ALBERT reuses one layer) or more than one.
    """
    depth = int(model.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]
    found = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == depth]
    inside = {id(m) for outer in found for m in outer.modules() if m is not outer}
    lists = [m for m in found if id(m) not in inside]  # a layer may hold lists of its own
    if len(lists) != 1:
        kind = model.config.model_type  # type: ignore[union-attr]
        raise InputError(
            f"Parameter `model` should be an encoder whose {depth} layers form one list. "
            f"Found {len(lists)} such lists in architecture `{kind}`, which cannot be split "
            "into shared, cluster and task layers."
        )
    return lists[0]


def name_in_layers(key: str, model: nn.Module, layers: nn.ModuleList) -> bool:
    """Tell whether the parameter named `key` belongs to the Transformer layers."""
    prefix = next(name for name, module in model.named_modules() if module is layers)
    return key.startswith(prefix + ".")


def _with_packing(model: nn.Module, layers: nn.ModuleList, missing: frozenset[str]) -> Encoder:
    """Prepare packed batches where the architecture allows them; check before trusting it."""
    handle = layers[-1].register_forward_hook(keep_first_tokens)
    try:
        with quiet():
            model.set_attn_implementation(ATTENTION)  # type: ignore[operator]
        read_first_tokens_only(layers[-1])
        is_packable = _attention_of(model) == ATTENTION and packs_exactly(model)
    except (ValueError, NotImplementedError, AttributeError):
        is_packable = False
    if not is_packable:
        handle.remove()
        with quiet():
            model.set_attn_implementation("eager")  # type: ignore[operator]
    return Encoder(model, layers, missing, is_packable)


def _attention_of(model: nn.Module) -> str:
    return str(model.config._attn_implementation)  # type: ignore[union-attr]


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' notes about new heads while a model is loaded."""
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        transformers_logging.enable_progress_bar()
