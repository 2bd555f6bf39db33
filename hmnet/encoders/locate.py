"""Pretrained encoders found and identified: folder, fingerprint, tokenizer and configuration."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerFast

from hmnet.encoders.config import describe_refusal, load_config, read_count
from hmnet.encoders.model_files import check_encoder_folder, check_named_files, list_model_files
from hmnet.encoders.quiet import quiet
from hmnet.encoders.tokenizer_fit import check_sizes, check_tokenizer_files, check_vocabulary
from hmnet.errors import InputError, SourceError
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
    _check_parts(folder)
    return ModelRef(name, _pin(name, folder), list_model_files(folder).fingerprint())


def _pin(name: str, folder: Path) -> str | None:
    """Return the commit that was read, by which every later reader asks; None for a folder."""
    return None if folder == Path(name) else folder.name


def _check_parts(folder: Path) -> None:
    missing = [] if (folder / "config.json").exists() else ["config.json"]
    missing += [] if any(folder.glob("*.safetensors")) else ["model.safetensors"]
    if missing:
        raise InputError(
            f"Parameter `model` should be a folder with configuration and safetensors weights. "
            f"`{folder}` lacks {' and '.join(missing)}.{_advise(folder)}"
        )


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
