"""Pretrained encoders loaded, and their layers prepared for packed batches.

Weights are read from safetensors only. No code of a repository or folder is ever run: every call
of transformers that could says `trust_remote_code=False`, since its default asks on a terminal.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedConfig

from hmnet.encoders.cast_once import cast_once
from hmnet.encoders.config import describe_refusal, load_config
from hmnet.encoders.layers import find_layers, name_in_layers
from hmnet.encoders.model_files import ModelFiles, list_model_files
from hmnet.encoders.parts import find_folder
from hmnet.encoders.quiet import quiet
from hmnet.encoders.word_heads import make_word_classifier
from hmnet.errors import InputError, first_line
from hmnet.packing.attention import ATTENTION
from hmnet.packing.batch import keep_first_tokens
from hmnet.packing.dropout import replace_dropout
from hmnet.packing.first_token import read_every_token, read_first_tokens_only
from hmnet.packing.forward import packs_exactly, runs_padded
from hmnet.study.tasks import Task


@dataclass(frozen=True)
class Encoder:
    """A loaded sequence classifier that runs are copied from; never trained itself.

    Attributes:
        model: the stock model, in fp32.
        layers: its Transformer layers, bottom first.
        missing: names of parameters that the checkpoint does not hold (new heads).
        is_packable: whether packed batches give what one-by-one passes give.
        config: the configuration as it was read, before any option.
    """

    model: nn.Module
    layers: nn.ModuleList
    missing: frozenset[str]
    is_packable: bool
    config: PreTrainedConfig

    @property
    def depth(self) -> int:
        """Number of Transformer layers."""
        return len(self.layers)

    @functools.cached_property
    def for_words(self) -> Encoder:
        """The same encoder with a head for each token.

        Raises:
            InputError: if the architecture has no such model.
        """
        model, missing = make_word_classifier(self.model)
        is_packable = self.is_packable and packs_exactly(model)
        return replace(self, model=model, missing=missing, is_packable=is_packable)

    def for_task(self, task: Task) -> Encoder:
        """Return the encoder with the head that the answers of a task's kind come from."""
        return self.for_words if task.facts.reads_words else self


@functools.lru_cache(maxsize=4)
def load_encoder(
    name: str,
    revision: str | None = None,
    dropout: float | None = None,
    fingerprint: str | None = None,
) -> Encoder:
    """Load the encoder with a sequence classification head; cached for the process.

    Args:
        dropout: probability for every dropout of the encoder; None keeps its own.
        fingerprint: what the files that are loaded should have (`hmnet.encoders.identify`).

    Raises:
        InputError: if the architecture is not a single list of layers of the config's depth, or
            the files are not those of the fingerprint.
    """
    folder = find_folder(name, revision)
    with _unchanged(folder, fingerprint) as files:
        config = load_config(folder)
        original = copy.deepcopy(config)
        if dropout is not None:
            _set_dropout(config, dropout)
        with quiet():
            model, info = _load_model(files, config)
    missing = frozenset(info["missing_keys"])
    try:
        encoder = prepare_encoder(model, missing)  # runs it once: odd values may show here
    except Exception as error:
        raise InputError(
            f"{describe_refusal(error)} The architecture is that of `{folder}`."
        ) from error
    if any(name_in_layers(key, model, encoder.layers) for key in missing):
        raise InputError(
            f"Parameter `model` should hold weights for every layer. `{folder}` lacks "
            f"{len(missing)} tensors, among them `{min(missing)}`."
        )
    return replace(encoder, config=original)


@contextmanager
def _unchanged(folder: Path, fingerprint: str | None) -> Iterator[ModelFiles]:
    """Hold a folder's files to what they are identified by, before and after they are read.

    Raises:
        InputError: if they have another fingerprint, or were written meanwhile.
    """
    files = list_model_files(folder)
    stamps = files.stamps()
    if fingerprint and (found := files.fingerprint()) != fingerprint:
        raise InputError(
            f"Parameter `model` should be the encoder that the run was planned with, of "
            f"fingerprint {fingerprint}. Found {found} in `{folder}`: its files were replaced. "
            "The same command, given again, plans with those that are there now."
        )
    yield files
    if list_model_files(folder) != files or files.stamps() != stamps:
        raise InputError(
            f"Parameter `model` should be a folder that nobody writes to. The files of `{folder}` "
            "changed while they were read; give the same command again."
        )


def prepare_encoder(model: nn.Module, missing: frozenset[str]) -> Encoder:
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


def _load_model(
    files: ModelFiles, config: PreTrainedConfig
) -> tuple[nn.Module, dict[str, list[str]]]:
    """Load the listed weights alone; transformers would look for further files in the folder."""
    options = {"config": config, "output_loading_info": True, "dtype": torch.float32}
    try:
        with ExitStack() as stack:
            tensors = _open_weights(files, stack)
            kind = _find_class(config, sum(math.prod(t.get_shape()) for t in tensors.values()))
            model, info = kind.from_pretrained(
                None, state_dict=tensors, trust_remote_code=False, **options
            )
    except InputError:
        raise
    except Exception as error:  # damaged files and odd values raise nearly anything
        raise InputError(
            f"Parameter `model` should be an encoder that AutoModelForSequenceClassification "
            f"loads. `{files.folder}`: {describe_refusal(error)}"
        ) from error
    model.config.name_or_path = str(files.folder)
    return model, info


def _open_weights(files: ModelFiles, stack: ExitStack) -> dict[str, Any]:
    """Return the name of each tensor with what reads it; nothing is read yet."""
    tensors: dict[str, Any] = {}
    for path in files.loaded:
        file = stack.enter_context(safe_open(path, framework="pt"))
        names = list(file.keys())
        if twice := sorted(tensors.keys() & set(names)):
            raise InputError(f"{path}: its tensors should stand in one part. Found `{twice[0]}`.")
        tensors |= {name: file.get_slice(name) for name in names}
    return tensors


def _find_class(config: PreTrainedConfig, held: int) -> Any:
    """Return the class of the model that is configured, after a look at its size.

    Args:
        held: parameters in the files.

    Raises:
        InputError: if the configuration describes far more parameters than the files hold.
    """
    with torch.device("meta"):
        blank = AutoModelForSequenceClassification.from_config(config, trust_remote_code=False)
    described = sum(parameter.numel() for parameter in blank.parameters())
    if described > 2 * held + _NEW_PARAMETERS:
        raise InputError(
            f"Parameter `model` should hold weights for what its config.json describes, "
            f"{described:,} parameters. Found {held:,} in `{config.name_or_path}`."
        )
    return type(blank)


_NEW_PARAMETERS = 2**24
"""Parameters that the head of a classifier may have beyond what the files hold."""


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
    return Encoder(model, layers, missing, is_packable, model.config)  # type: ignore[arg-type]


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
