"""Pretrained encoders found and identified: folder, fingerprint, tokenizer and configuration."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerFast

from hmnet.encoders.fit import check_sizes, check_tokenizer_files, check_vocabulary
from hmnet.encoders.quiet import quiet
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
        found = "which is a file" if Path(name).exists() else "which does not exist"
        raise SourceError(
            f"Parameter `model` should be a folder or a hub id. Found `{name}`, {found}. It is "
            "`model` of the study file; `--model DIR` names another for one command."
        )
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
            f"`{folder}` lacks {' and '.join(missing)}.{_advise(folder)}"
        )
    parts = [digest_file(path) for path in (folder / "config.json", *weights)]
    is_local = folder == Path(name)
    return ModelRef(name, None if is_local else revision, digest(*parts))


def _advise(folder: Path) -> str:
    """Say how to go on with a folder in an older layout; empty where nothing is known of it."""
    inner = sorted(path.parent for path in folder.glob("*/config.json"))
    if not (folder / "config.json").exists() and inner:
        return (
            f" It holds an encoder in a folder of its own, as older sentence-transformers have it: "
            f"`--model {inner[0]}`."
        )
    if (folder / "adapter_config.json").exists():
        return (
            " It holds an adapter, not an encoder: merge the two with "
            "`AutoPeftModel.from_pretrained(folder).merge_and_unload().save_pretrained(new)` of "
            "peft."
        )
    patterns = ("pytorch_model*.bin", "tf_model.h5", "*.msgpack")
    found = next((p for pattern in patterns for p in sorted(folder.glob(pattern))), None)
    if found is None:
        return ""
    if found.suffix != ".bin":
        return f" Found {found.name}, whose weights an older transformers (4) converts to PyTorch."
    return (
        f" Found {found.name}, a pickle that could run code, which is not read. If you trust it, "
        'convert it once: `python -c "from transformers import AutoModel as M; '
        f"M.from_pretrained('{folder}').save_pretrained('{folder}')\"`."
    )


def load_tokenizer(name: str, revision: str | None = None) -> PreTrainedTokenizerFast:
    """Load an encoder's fast tokenizer.

    Raises:
        InputError: if the encoder has no fast tokenizer, none with a vocabulary, or one with more
            entries than the encoder beside it has embeddings.
    """
    folder = find_folder(name, revision)
    check_tokenizer_files(name, folder)
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:
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
    return tokenizer


def read_vocab_size(name: str, revision: str | None = None) -> int | None:
    """Return the number of an encoder's embeddings, or None where it states none."""
    return _read_vocab_size(load_config(find_folder(name, revision)))


def _read_vocab_size(config: PreTrainedConfig) -> int | None:
    size = getattr(config, "vocab_size", None)
    return size if isinstance(size, int) else None


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
    if positions is None or int(positions) <= 0:  # XLNet states -1: none
        return None
    offset = (config.pad_token_id or 0) + 1 if config.model_type in _OFFSET_POSITIONS else 0
    return int(positions) - offset
