"""The configuration of an encoder, read without what would select code or take all memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from transformers import CONFIG_MAPPING, PreTrainedConfig

from hmnet.errors import InputError, first_line, raise_problems, shorten
from hmnet.storage.documents import read_json

_SELECT_CODE = (
    "attn_implementation",
    "experts_implementation",
    "fusion_config",
    "kernel_config",
    "use_kernels",
    "distributed_config",
    "transformers_weights",
)
"""Keys that choose kernels (some downloaded) or other files: left out, at every depth and with a
leading underscore too."""
_REFUSED = ("quantization_config", "compression_config")
"""Keys that choose the code that reads the weights."""
_MOST = {"layer": 1_000, "label": 100_000, "head": 100_000, "expert": 100_000, "group": 100_000}
"""Largest integers by a part of their key; a model of 10^9 layers is built for years."""
_MOST_OF_ANY = 2**31


def load_config(folder: Path) -> PreTrainedConfig:
    """Load the configuration of an encoder.

    Raises:
        InputError: if transformers knows no such encoder without running code from its folder, or
            if the configuration asks for other code or for sizes beyond any encoder.
    """
    path = folder / "config.json"
    content = read_json(path)
    kind = content.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise InputError(
            f"Parameter `model` should be an encoder that transformers knows. `{folder}`: "
            + _describe_unknown(content)
        )
    raise_problems(f"{path}: {problem}" for problem in _find_problems(content))
    try:
        config: PreTrainedConfig = CONFIG_MAPPING[kind].from_dict(_drop_selectors(content))
    except Exception as error:  # odd values raise nearly anything
        raise InputError(
            f"Parameter `model` should be an encoder that transformers knows. "
            f"`{folder}`: {describe_refusal(error)}"
        ) from error
    config.name_or_path = str(folder)
    return config


def describe_refusal(error: BaseException) -> str:
    """Return why transformers cannot load a folder, without its advice to run the folder's code."""
    if "trust_remote_code" in str(error):
        return CODE_OF_ITS_OWN
    return shorten_sentence(first_line(error))


CODE_OF_ITS_OWN = (
    "it needs code of its own (`auto_map`), and code that comes with a model is not run."
)


def shorten_sentence(text: str) -> str:
    """Return a library's message, at most 300 characters of it."""
    return text if len(text) <= 300 else text[:297] + "..."


def read_count(config: PreTrainedConfig, name: str, folder: Path) -> int:
    """Return an integer of a configuration.

    Raises:
        InputError: if it has none of that name.
    """
    value = getattr(config, name, None)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(
            f"{folder / 'config.json'}: Parameter `{name}` should be an integer. "
            f"Found `{shorten(value)}`."
        )
    return value


def _describe_unknown(content: Mapping[str, object]) -> str:
    if content.get("auto_map"):
        return CODE_OF_ITS_OWN
    return f"its config.json names the architecture `{shorten(content.get('model_type'))}`."


def _find_problems(content: Mapping[str, object]) -> Iterator[str]:
    for key in _REFUSED:
        if content.get(key):
            yield (
                f"Parameter `{key}` should be left out: weights are read in fp32. Found "
                f"`{shorten(content[key])}`."
            )
    for key, value in _list_integers(content):
        most = next((most for part, most in _MOST.items() if part in key), _MOST_OF_ANY)
        if abs(value) > most:
            yield f"Parameter `{key}` should be at most {most:,}. Found `{_show(value)}`."


def _show(value: int) -> str:
    return str(value) if abs(value) < 10**20 else "a number of more than 20 digits"


def _list_integers(content: object, key: str = "") -> Iterator[tuple[str, int]]:
    """Yield every integer with the key under which it stands, whatever lies between."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _list_integers(value, name)
    elif isinstance(content, list):
        for value in content:
            yield from _list_integers(value, key)
    elif isinstance(content, int) and not isinstance(content, bool):
        yield key, content


def _drop_selectors(content: Mapping[str, object]) -> dict[str, object]:
    return {
        key: _drop_inside(value)
        for key, value in content.items()
        if not key.lstrip("_").startswith(_SELECT_CODE)
    }


def _drop_inside(value: object) -> object:
    if isinstance(value, list):
        return [_drop_inside(each) for each in value]
    return _drop_selectors(value) if isinstance(value, dict) else value
