"""Pretrained encoders found and identified: folder, fingerprint, tokenizer and configuration."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerFast

from hmnet.errors import InputError, SourceError, first_line
from hmnet.storage.digests import digest, digest_file
from hmnet.study.settings import ModelRef

_FILES = ("*.json", "*.txt", "*.model", "model*.safetensors")
_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "mpnet", "longformer")


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


def load_tokenizer(name: str, revision: str | None = None) -> PreTrainedTokenizerFast:
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
            f"Found `{name}`: {describe_refusal(error)}"
        ) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise InputError(f"Parameter `tokenizer` should have a fast tokenizer. `{name}` has none.")
    return tokenizer


def load_config(folder: Path) -> PreTrainedConfig:
    """Load the configuration of an encoder.

    Raises:
        InputError: if transformers knows no such encoder without running code from its folder.
    """
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"Parameter `model` should be an encoder that transformers knows. "
            f"`{folder}`: {describe_refusal(error)}"
        ) from error


def describe_refusal(error: Exception) -> str:
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
