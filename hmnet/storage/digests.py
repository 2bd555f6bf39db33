"""Digests of values and files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from hmnet.storage.regular_files import open_regular


def canonical_json(value: object) -> str:
    """Return JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(*parts: bytes | str) -> str:
    """Return 32 hex digits (BLAKE2b) of the parts, each framed by its length."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        state.update(len(content).to_bytes(8, "little"))
        state.update(content)
    return state.hexdigest()


def sign(fields: Mapping[str, object]) -> str:
    """Return the digest of a document's fields as they are written, all but `own` and `schema`.

    It stands in the document as `own`, by which an altered one is found.
    """
    rest = {name: value for name, value in fields.items() if name not in ("own", "schema")}
    return digest(canonical_json(rest))


def digest_bytes(content: bytes) -> str:
    """Return what `digest_file` gives for a file of this content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digest_file(path: Path) -> str:
    """Return 32 hex digits (BLAKE2b) of a regular file's content.

    Raises:
        NotRegularError: if it is a folder, a pipe or a device.
        OSError: if it cannot be read.
    """
    state = hashlib.blake2b(digest_size=16)
    with open_regular(path) as file:
        while chunk := file.read(1 << 20):
            state.update(chunk)
    return state.hexdigest()
