"""Pretrained encoders found and identified: folder, fingerprint, tokenizer and configuration."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerFast

from hmnet.encoders.config import describe_refusal, load_config, read_count
from hmnet.encoders.model_files import check_encoder_folder, check_named_files, list_model_files
from hmnet.encoders.parts import check_parts, find_folder
from hmnet.encoders.quiet import quiet
from hmnet.encoders.tokenizer_fit import check_sizes, check_tokenizer_files, check_vocabulary
from hmnet.errors import InputError
from hmnet.study.settings import ModelRef

_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "mpnet", "longformer")


def identify(name: str, revision: str | None = None) -> ModelRef:
    """Return the encoder's reference, with the fingerprint of configuration and weights.

    Raises:
        InputError: if the folder lacks a configuration or safetensors weights.
    """
    folder = find_folder(name, revision)
    check_parts(folder)
    return ModelRef(name, _pin(name, folder), list_model_files(folder).fingerprint())


def _pin(name: str, folder: Path) -> str | None:
    """Return the commit that was read, by which every later reader asks; None for a folder."""
    return None if folder == Path(name) else folder.name


def load_tokenizer(name: str, revision: str | None = None) -> PreTrainedTokenizerFast:
    """Load an encoder's fast tokenizer.

    Raises:
        InputError: if the encoder has no fast tokenizer, none with a vocabulary, or one with more
            entries than the encoder beside it has embeddings.
    """
    folder = find_folder(name, revision)
    check_encoder_folder(folder)
    check_named_files(folder)
    if (folder / "config.json").exists():
        load_config(folder)  # the tokenizer's loader would read it unchecked
    check_tokenizer_files(name, folder)
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # a damaged file raises nearly anything
        raise InputError(
            f"Parameter `tokenizer` should be a folder or hub id with a tokenizer. "
            f"Found `{name}`: {describe_refusal(error)}"
        ) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise InputError(
            f"Parameter `tokenizer` should have a fast tokenizer (`tokenizer.json`). `{name}` has "
            f"none; found `{type(tokenizer).__name__}`."
        )
    check_vocabulary(tokenizer, name)
    if (folder / "config.json").exists():
        check_sizes(tokenizer, _read_vocab_size(load_config(folder)), name)
    # written with the tokenizer where that is stored: the shell's HF_HUB_OFFLINE would decide it
    tokenizer.init_kwargs["local_files_only"] = False
    return tokenizer


def read_vocab_size(name: str, revision: str | None = None) -> int | None:
    """Return the number of an encoder's embeddings, or None where it states none."""
    return _read_vocab_size(load_config(find_folder(name, revision)))


def _read_vocab_size(config: PreTrainedConfig) -> int | None:
    size = getattr(config, "vocab_size", None)
    return size if isinstance(size, int) else None


def read_depth(name: str, revision: str | None = None) -> int:
    """Return the number of layers that an encoder's configuration states."""
    folder = find_folder(name, revision)
    return read_count(load_config(folder), "num_hidden_layers", folder)


def read_max_positions(name: str, revision: str | None = None) -> int | None:
    """Return the most tokens a sequence may have, or None where there is no limit."""
    folder = find_folder(name, revision)
    config = load_config(folder)
    if getattr(config, "max_position_embeddings", None) is None:
        return None
    positions = read_count(config, "max_position_embeddings", folder)
    if positions <= 0:  # XLNet states -1: none
        return None
    if config.model_type not in _OFFSET_POSITIONS:
        return positions
    padding = 0 if config.pad_token_id is None else read_count(config, "pad_token_id", folder)
    return positions - padding - 1
