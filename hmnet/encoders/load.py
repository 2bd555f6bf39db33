"""Pretrained encoders loaded, and their layers prepared for packed batches.

Weights are read from safetensors only. No code of a repository or folder is ever run: every call
of transformers that could says `trust_remote_code=False`, since its default asks on a terminal.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedConfig

from hmnet.encoders.cast_once import cast_once
from hmnet.encoders.layers import find_layers, name_in_layers
from hmnet.encoders.locate import describe_refusal, find_folder, load_config
from hmnet.encoders.quiet import quiet
from hmnet.errors import InputError, first_line
from hmnet.packing.attention import ATTENTION
from hmnet.packing.batch import keep_first_tokens
from hmnet.packing.dropout import replace_dropout
from hmnet.packing.first_token import read_every_token, read_first_tokens_only
from hmnet.packing.forward import packs_exactly, runs_padded


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


def _load_model(folder: Path, config: PreTrainedConfig) -> tuple[nn.Module, dict[str, list[str]]]:
    options = {"config": config, "use_safetensors": True, "output_loading_info": True}
    try:
        return AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32, trust_remote_code=False, **options
        )
    except Exception as error:  # damaged weights and odd configurations raise many kinds
        raise InputError(
            f"Parameter `model` should be an encoder that AutoModelForSequenceClassification "
            f"loads. `{folder}`: {describe_refusal(error)}"
        ) from error


def _set_dropout(config: PreTrainedConfig, dropout: float) -> None:
    for name, value in config.to_dict().items():
        if "dropout" in name and isinstance(value, float | int) and not isinstance(value, bool):
            setattr(config, name, dropout)


def _with_packing(model: nn.Module, layers: nn.ModuleList, missing: frozenset[str]) -> Encoder:
    """Enable packed batches where the architecture allows them, checked by comparing outputs."""
    handle = layers[-1].register_forward_hook(keep_first_tokens)
    try:
        with quiet():
            model.set_attn_implementation(ATTENTION)  # type: ignore[operator]
        read_first_tokens_only(layers[-1])
        is_packable = _attention_of(model) == ATTENTION and packs_exactly(model)
    except Exception:  # noqa: BLE001  layers of another shape or signature raise anything
        is_packable = False
    if not is_packable:
        handle.remove()
        read_every_token(layers[-1])
        with quiet():
            model.set_attn_implementation("eager")  # type: ignore[operator]
        _check_runs(model)
    return Encoder(model, layers, missing, is_packable)


def _check_runs(model: nn.Module) -> None:
    """Refuse an architecture by name that does not take a padded batch of token ids.

    Raises:
        InputError: with what was in the way.
    """
    try:
        is_usable = runs_padded(model)
        reason = "its outputs depend on the padding, and so on the other rows of a batch"
    except Exception as error:  # noqa: BLE001  architectures fail in ways of their own
        is_usable, reason = False, first_line(error)
    if not is_usable:
        kind = model.config.model_type  # type: ignore[union-attr]
        raise InputError(
            f"Parameter `model` should be an encoder that classifies sequences of tokens, such as "
            f"BERT, RoBERTa or DistilBERT. Found architecture `{kind}`, which cannot be run on "
            f"padded batches: {reason}."
        )


def _attention_of(model: nn.Module) -> str:
    return str(model.config._attn_implementation)  # type: ignore[union-attr]
