"""Whether a folder has the parts of an encoder, asked without loading transformers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hmnet.encoders.tokenizer_fit import check_tokenizer_files
from hmnet.errors import InputError, RelevanceError, SourceError, raise_problems
from hmnet.storage.documents import read_json
from hmnet.storage.regular_files import POINTER


def find_folder(name: str, revision: str | None = None) -> Path:
    """Return the local folder of an encoder, downloading it from the hub where needed.

    Raises:
        SourceError: if there is no such folder and the hub cannot be reached.
    """
    if (local := find_local_folder(name)) is not None:
        return local
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(_FILES)))
    except Exception as error:  # the hub's client raises many kinds; all mean the same here
        raise SourceError(
            f"Encoder `{name}` could not be loaded from the hub: {type(error).__name__}; and there "
            f"is no folder `{name}` here. Go on with `--model DIR` (a local model folder), or try "
            "`relevance demo`, which needs no network."
        ) from error


_FILES = ("*.json", "*.txt", "*.model", "model*.safetensors")


def find_local_folder(name: str) -> Path | None:
    """Return an encoder's folder; None for a name of the hub.

    Raises:
        SourceError: if the name is written as a path, and there is no such folder.
    """
    if Path(name).is_dir():
        return Path(name)
    if name.startswith(("/", "./", "../", "~")):
        found = "which is a file" if Path(name).exists() else "which does not exist"
        raise SourceError(
            f"Parameter `model` should be a folder or a hub id. Found `{name}`, {found}. It is "
            "`model` of the study file; `--model DIR` names another for one command."
        )
    return None


def check_parts(folder: Path) -> None:
    """Refuse a folder without a configuration or safetensors weights, or with pointers to them.

    Raises:
        InputError: that says how to go on.
    """
    missing = [] if (folder / "config.json").exists() else ["config.json"]
    missing += [] if any(folder.glob("*.safetensors")) else ["model.safetensors"]
    if missing:
        raise InputError(
            f"Parameter `model` should be a folder with configuration and safetensors weights. "
            f"`{folder}` lacks {' and '.join(missing)}.{_advise(folder)}"
        )
    raise_problems(
        f"{path}: it should be a whole file. Found a pointer of Git LFS; `git lfs pull` in "
        f"`{folder}` fetches the file."
        for path in sorted((*folder.glob("*.json"), *folder.glob("*.safetensors")))
        if path.is_file() and _is_pointer(path)
    )


def _is_pointer(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(POINTER)) == POINTER


def find_missing_parts(name: str, max_length: int) -> Iterator[str]:
    """Yield what a local encoder lacks, and a length beyond its positions; nothing is loaded."""
    try:
        folder = find_local_folder(name)
        if folder is None:
            return
        check_parts(folder)
        check_tokenizer_files(name, folder)
        longest = read_json(folder / "config.json").get("max_position_embeddings")
    except RelevanceError as error:
        yield from error.problems
        return
    if isinstance(longest, int) and 0 < longest < max_length:
        yield describe_length(name, longest, max_length)


def describe_length(name: str, longest: int, found: int) -> str:
    """Return the sentence for texts that are longer than an encoder takes."""
    return (
        f"Parameter `max_length` should be at most {longest}, the most positions of `{name}`. "
        f"Found `{found}`; `--set rows.max_length={longest}` sets it."
    )


def _advise(folder: Path) -> str:
    """Say how to go on with a folder in an older layout, or with what is no encoder's."""
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
    patterns = ("pytorch_model*.bin", "tf_model.h5", "*.msgpack", "*.gguf", "*.onnx")
    found = next((p for pattern in patterns for p in sorted(folder.glob(pattern))), None)
    if found is None:
        return (
            " `hf download <the encoder's id> --local-dir <folder>` fetches a whole one from the "
            "hub."
        )
    if found.suffix == ".bin":
        return (
            f" Found {found.name}, a pickle that could run code, which is not read. If you trust "
            'it, convert it once: `python -c "from transformers import AutoModel as M; '
            f"M.from_pretrained('{folder}').save_pretrained('{folder}')\"`."
        )
    if found.suffix in (".gguf", ".onnx"):
        return f" Found {found.name}, which cannot be trained: take the encoder that it came from."
    return f" Found {found.name}, whose weights an older transformers (4) converts to PyTorch."
