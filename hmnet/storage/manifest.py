"""The manifest of an output folder: what was written there, with its digest, and from what.

    <out>/manifest.json     file to its versions, newest first, and the sources that they name

`hmnet.storage` writes and reads every file by it: a write announces its digest first and replaces
the file then, under one lock, so that a kill in between leaves a file that is the one before. A
reader refuses a file that is neither. What the sources mean says `hmnet.folder.freshness`.

Not in it are files that keep digests of their own (`runs/`, tokenised rows), that people edit
(`study.toml`), or that no number comes from (`progress.json`). A file that is older than the
manifest is read as it is; `relevance verify` says which.
"""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import ConfigDict, TypeAdapter

from hmnet.errors import InputError
from hmnet.storage.digests import canonical_json, digest, digest_bytes, digest_file
from hmnet.storage.limits import LimitError
from hmnet.storage.regular_files import read_regular
from hmnet.storage.replacing import replace_file

MANIFEST_FILE = "manifest.json"
MANIFEST_SCHEMA = "manifest/1"
MAX_MANIFEST_BYTES = 64 * 2**20
_LOCK_FILE = ".manifest.lock"
_LEVELS = 3
"""Folders above a file in which its manifest is looked for: `attention/all/` is the deepest."""
_NOT_RECORDED = (MANIFEST_FILE, "output.json", "study.toml")

_sources: ContextVar[Mapping[str, Any] | None] = ContextVar("sources", default=None)


@dataclass(frozen=True)
class Version:
    """A file as it was written once: its digest, and the key of its sources (empty for none)."""

    digest: str
    sources: str = ""


@dataclass(frozen=True)
class Manifest:
    """`manifest.json`.

    Attributes:
        files: file to the version that was written last, and the one before, which is there
            where a write was cut off.
        sources: key to what versions were made from.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    files: Mapping[str, tuple[Version, ...]] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def find(self, name: str, found: str) -> Version | None:
        """Return the version of a file that has the digest `found`."""
        return next((v for v in self.files.get(name, ()) if v.digest == found), None)

    def find_sources(self, name: str, found: str) -> Mapping[str, Any]:
        """Return what a file of the digest `found` was made from; empty where that is not known."""
        version = self.find(name, found)
        return {} if version is None else self.sources.get(version.sources, {})


@contextmanager
def made_from(sources: Mapping[str, Any]) -> Iterator[None]:
    """Have what is written meanwhile recorded as made from `sources` (plain values)."""
    token = _sources.set(sources)
    try:
        yield
    finally:
        _sources.reset(token)


def begin_manifest(folder: Path) -> None:
    """Write an empty manifest where there is none.

    Raises:
        OSError: if it cannot be written.
    """
    if (folder / MANIFEST_FILE).exists():
        return
    with FileLock(folder / _LOCK_FILE):
        if not (folder / MANIFEST_FILE).exists():
            _write(folder, Manifest())


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an output folder; an empty one where there is none.

    Raises:
        InputError: if it is not as it was written.
    """
    path = folder / MANIFEST_FILE
    try:
        content = json.loads(read_regular(path, MAX_MANIFEST_BYTES))
        own, schema = content.pop("own"), content.pop("schema")
        if schema == MANIFEST_SCHEMA and own == digest(canonical_json(content)):
            return TypeAdapter(Manifest).validate_python(content)
    except FileNotFoundError:
        return Manifest()
    except (OSError, ValueError, RecursionError, AttributeError, KeyError, TypeError, LimitError):
        pass  # pydantic's are ValueErrors
    raise InputError(
        f"{path}: the file should be as it was written (`{MANIFEST_SCHEMA}`). It was altered, cut "
        "short, or is of another version. Without it, nothing is known of what lies beside it: "
        "delete it, and run the commands again that wrote those files."
    )


def check_recorded(path: Path) -> None:
    """Raise an `InputError` if a file of an output folder is not as it was written."""
    home = find_home(path)
    if home is None or not path.exists():
        return
    folder, name = home
    for _ in range(2):  # between two looks, another command may have written it
        manifest = read_manifest(folder)
        if name not in manifest.files or manifest.find(name, digest_file(path)) is not None:
            return
    raise InputError(_describe_altered(path, manifest, name))


def list_recorded(folder: Path) -> list[Path]:
    """Return the files of a manifest that are there.

    Raises:
        InputError: as in `read_manifest`.
    """
    names = [name for name in sorted(read_manifest(folder).files) if ".." not in Path(name).parts]
    return [folder / name for name in names if (folder / name).exists()]


@contextmanager
def announced(path: Path, content: bytes) -> Iterator[None]:
    """Note the digest of what is about to be written to `path`, and hold the manifest meanwhile.

    Raises:
        OSError: if it cannot be noted.
    """
    home = find_home(path)
    if home is None:
        yield
        return
    folder, name = home
    with FileLock(folder / _LOCK_FILE):
        for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            part.unlink(missing_ok=True)  # of a write that a kill cut off: no other is under way
        _write(folder, _add(_read_or_begin(folder), name, path, content))
        yield


def find_home(path: Path) -> tuple[Path, str] | None:
    """Return the folder whose manifest holds a file, and its name there; None for others."""
    path = Path(os.path.abspath(path))  # noqa: PTH100 (keeps links)
    for folder in path.parents[:_LEVELS]:
        if (folder / MANIFEST_FILE).is_file() and (folder / "output.json").is_file():
            name = path.relative_to(folder).as_posix()
            return (folder, name) if is_recorded(name) else None
    return None


def is_recorded(name: str) -> bool:
    """Tell whether a file belongs into the manifest, by its name in the output folder."""
    first, *rest = name.split("/")
    has_own = first in ("runs", "planted") or (first == "data" and len(rest) > 1)
    is_hidden = any(part.startswith(".") for part in (first, *rest))
    return not (has_own or is_hidden or name in _NOT_RECORDED or name.startswith("progress"))


def _read_or_begin(folder: Path) -> Manifest:
    try:
        return read_manifest(folder)
    except InputError:  # `verify` says so of what is there, and of what is in none afterwards
        return Manifest()


def _add(manifest: Manifest, name: str, path: Path, content: bytes) -> Manifest:
    """Return the manifest with a file's new version before the one that is on disk."""
    sources = _sources.get() or {}
    key = digest(canonical_json(sources)) if sources else ""
    files = {**manifest.files, name: (Version(digest_bytes(content), key),)}
    before = _find_present(manifest, name, path)
    if before is not None and before.digest != files[name][0].digest:
        files[name] += (before,)
    used = {version.sources for versions in files.values() for version in versions}
    known = {**manifest.sources, key: sources}
    return replace(
        manifest, files=files, sources={k: v for k, v in known.items() if k and k in used}
    )


def _find_present(manifest: Manifest, name: str, path: Path) -> Version | None:
    """Return the version that is on disk; None for no file, and for an altered one."""
    if not path.is_file():
        return None
    found = digest_file(path)
    return manifest.find(name, found) if name in manifest.files else Version(found)


def _write(folder: Path, manifest: Manifest) -> None:
    content = TypeAdapter(Manifest).dump_python(manifest, mode="json")
    own = digest(canonical_json(content))
    text = json.dumps({"schema": MANIFEST_SCHEMA, **content, "own": own}, indent=1)
    replace_file(folder / MANIFEST_FILE, (text + "\n").encode())


def _describe_altered(path: Path, manifest: Manifest, name: str) -> str:
    sources = [manifest.sources.get(v.sources, {}) for v in manifest.files[name]]
    command = next((str(s["command"]) for s in sources if "command" in s), "")
    way = f"`{command}` makes it anew" if command else "restore it, or delete it"
    return f"{path}: the file should be as it was written. It was altered or cut short; {way}."
