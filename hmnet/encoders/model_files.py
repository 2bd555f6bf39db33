"""The files of a model folder: one list is checked, identified and loaded; no other file is.

    config.json            the architecture
    *.safetensors          the weights: `model.safetensors`, or the parts that its index names
    tokenizer.json ...     read by `hmnet.encoders.locate.load_tokenizer`

A folder may come from anywhere. Its files are regular ones that lie in it (in the hub's cache:
links to that model's `blobs`), and are checked before memory is taken.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

from hmnet.errors import InputError, first_line, raise_problems, shorten
from hmnet.storage.digests import digest, digest_file
from hmnet.storage.documents import read_json
from hmnet.storage.regular_files import NotRegularError, check_regular

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_TEXT_BYTES = 256 * 2**20
"""Size of a file that is read as text: a tokenizer, a vocabulary."""
_TEXTS = (".json", ".txt", ".model", ".jinja")
_MAX_ENTRIES = 10_000


@dataclass(frozen=True)
class ModelFiles:
    """What a model folder is identified by, and what is loaded of it.

    Attributes:
        folder: where they lie.
        weights: every safetensors file, in order of name.
        loaded: those of them that are loaded.
    """

    folder: Path
    weights: tuple[Path, ...]
    loaded: tuple[Path, ...]

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.folder / "config.json"

    def fingerprint(self) -> str:
        """Return 32 hex digits of the configuration and all weights."""
        return digest(*(digest_file(path) for path in (self.config, *self.weights)))

    def stamps(self) -> list[tuple[int, int, int, int]]:
        """Return what changes when a file is written or another one takes its place."""
        found = [path.stat() for path in (self.config, *self.weights)]
        return [(s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in found]


def list_model_files(folder: Path) -> ModelFiles:
    """Check a model folder; return what identifies it and what is loaded of it.

    Raises:
        InputError: if a file is missing, leads elsewhere, is not a regular one, or is too large.
    """
    check_encoder_folder(folder)
    weights = tuple(sorted(folder.glob("*.safetensors")))
    missing = [] if (folder / "config.json").exists() else ["config.json"]
    missing += [] if weights else [WEIGHTS]
    if missing:
        raise InputError(
            f"Parameter `model` should be a folder with configuration and safetensors weights. "
            f"`{folder}` lacks {' and '.join(missing)}."
        )
    raise_problems(problem for path in weights if (problem := _check_header(path)))
    return ModelFiles(folder, weights, _choose_loaded(folder))


def _check_header(path: Path) -> str | None:
    """Return what is wrong with a safetensors file whose header does not fit its size."""
    try:
        with safe_open(path, framework="pt"):
            return None
    except Exception as error:  # noqa: BLE001 (a damaged file raises nearly anything)
        return f"{path}: the file should be safetensors. Found: {shorten(first_line(error))}"


def check_encoder_folder(folder: Path) -> None:
    """Check every file of a folder whose texts are about to be read.

    Raises:
        InputError: that names each one that leads elsewhere, is not a regular one, or is too large.
    """
    try:
        paths = sorted(folder.iterdir())[:_MAX_ENTRIES]
    except OSError as error:
        raise InputError(
            f"Parameter `model` should be a folder that can be read. Found `{folder}`: "
            f"{error.strerror}."
        ) from None
    home = _find_home(folder)
    raise_problems(problem for path in paths if (problem := _find_problem(path, home)))


def check_named_files(folder: Path) -> None:
    """Check the files that a tokenizer's configuration names, which its loader would read.

    Paths of the machine that wrote it are common, and name nothing here.

    Raises:
        InputError: that names each one that is there and lies elsewhere.
    """
    path = folder / "tokenizer_config.json"
    home = _find_home(folder)
    raise_problems(
        f"{path}: Parameter `{key}` should be left out, or name a file of the folder. "
        f"Found `{value}`."
        for key, value in (read_json(path) if path.exists() else {}).items()
        if key.endswith("_file") and isinstance(value, str) and _leads_away(value, home)
    )


def _leads_away(value: str, home: Path) -> bool:
    try:
        return Path(value).exists() and not Path(value).resolve().is_relative_to(home)
    except (OSError, ValueError, RuntimeError):
        return False


def _find_home(folder: Path) -> Path:
    """Return the folder in which all files really lie."""
    real = folder.resolve()
    is_cached = real.parent.name == "snapshots" and real.parent.parent.name.startswith("models--")
    return real.parent.parent if is_cached else real


def _find_problem(path: Path, home: Path) -> str | None:
    try:
        if path.is_symlink() and not path.resolve().is_relative_to(home):
            return (
                f"{path}: a model's files should lie in its folder. Found a link to "
                f"`{path.resolve()}`: copy the file, if you trust it."
            )
        if stat.S_ISDIR(path.stat().st_mode):
            is_read = path.suffix in (*_TEXTS, ".safetensors")
            return f"{path}: it should be a file. Found a folder." if is_read else None
        size = check_regular(path)
    except NotRegularError as error:
        return f"{path}: it should be a regular file. Found {error}."
    except (OSError, RuntimeError) as error:
        return f"{path}: the file should be one that can be read. Found: {error}."
    if path.suffix in _TEXTS and size > MAX_TEXT_BYTES:
        return f"{path}: the file should have at most {MAX_TEXT_BYTES:,} bytes. Found {size:,}."
    return None


def _choose_loaded(folder: Path) -> tuple[Path, ...]:
    if (folder / WEIGHTS).exists():
        return (folder / WEIGHTS,)
    index = folder / INDEX
    if not index.exists():
        raise InputError(
            f"Parameter `model` should be a folder with `{WEIGHTS}`, or with `{INDEX}` and the "
            f"parts that it names. `{folder}` has neither."
        )
    names = _read_index(index)
    missing = sorted(name for name in names if not (folder / name).is_file())
    if missing:
        raise InputError(
            f"{index}: it should name files of its folder. Found `{missing[0]}`, which is not "
            "there: was the download cut off?"
        )
    return tuple(folder / name for name in sorted(names))


def _read_index(index: Path) -> set[str]:
    """Return the names of the parts; each is a plain name of a safetensors file."""
    parts = read_json(index).get("weight_map")
    names = set(map(str, parts.values())) if isinstance(parts, dict) else set()
    odd = sorted(n for n in names if Path(n).name != n or not n.endswith(".safetensors"))
    if odd or not names:
        raise InputError(
            f"{index}: it should name safetensors files of its folder under `weight_map`. "
            f"Found `{odd[0] if odd else parts}`."
        )
    return names
