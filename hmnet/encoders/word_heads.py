"""The stock classifier of tokens around the layers of a loaded sequence classifier.

Both share every module of the encoder as an object, so tasks of both kinds train the same layers.
What the two stock models differ in is what follows the last layer: a pooler belongs to sequences.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from transformers import AutoModelForTokenClassification, PreTrainedConfig

from hmnet.encoders.quiet import quiet
from hmnet.errors import InputError, first_line
from hmnet.packing.dropout import replace_dropout


def make_word_classifier(model: nn.Module) -> tuple[nn.Module, frozenset[str]]:
    """Return the classifier of tokens that shares a sequence classifier's encoder.

    Args:
        model: prepared by `hmnet.encoders.load`.

    Returns:
        The stock model, and the names of its parameters that hold no trained values.

    Raises:
        InputError: if the architecture has no such classifier, or another encoder in it.
    """
    config: PreTrainedConfig = copy.deepcopy(model.config)  # type: ignore[assignment]
    attention = str(config._attn_implementation)
    config._attn_implementation = "eager"
    try:
        with quiet(), torch.device("cpu"):
            found = AutoModelForTokenClassification.from_config(
                config, dtype=torch.float32, trust_remote_code=False
            )
            base, own = _find_base(model), _find_base(found)
            _take_modules(own, base)
            found.set_attn_implementation(attention)
    except Exception as error:  # architectures fail in ways of their own
        raise InputError(
            f"Parameter `model` should be an encoder that AutoModelForTokenClassification takes, "
            f"as there are tasks whose words have labels. Found architecture "
            f"`{config.model_type}`: {first_line(error)}"
        ) from error
    replace_dropout(found)
    prefix = f"{found.base_model_prefix}."
    missing = frozenset(n for n, _ in found.named_parameters() if not n.startswith(prefix))
    return found.eval(), missing


def _find_base(model: nn.Module) -> nn.Module:
    return model.get_submodule(str(model.base_model_prefix))


def _take_modules(own: nn.Module, base: nn.Module) -> None:
    """Put the modules of one encoder in the places of another's of the same class."""
    if type(own) is not type(base):
        raise ValueError(f"its encoder is a `{type(own).__name__}`, not a `{type(base).__name__}`")
    for name, child in own.named_children():
        if child is not None:
            setattr(own, name, getattr(base, name))
    for name, _ in own.named_parameters(recurse=False):
        setattr(own, name, getattr(base, name))
