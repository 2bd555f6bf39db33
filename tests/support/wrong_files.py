"""Files of wrong kinds, for every reader: name of the damage to what does it to a file."""

from __future__ import annotations

import gzip
import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

Damage = Callable[[Path], object]


def _write(content: bytes) -> Damage:
    return lambda path: path.write_bytes(content)


def _cut(share: float) -> Damage:
    def damage(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])

    return damage


def _put(make: Callable[[Path], object]) -> Damage:
    def damage(path: Path) -> None:
        path.unlink(missing_ok=True)
        make(path)

    return damage


def _grow(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**40)  # sparse: it takes no room


def list_damages() -> Iterator[tuple[str, Damage]]:
    """Yield damages that any file can have: special files, huge ones, cut and foreign ones."""
    yield "a pipe", _put(os.mkfifo)
    yield "a folder", _put(Path.mkdir)
    yield "zeros without end", _put(lambda path: path.symlink_to("/dev/zero"))
    yield "noise without end", _put(lambda path: path.symlink_to("/dev/urandom"))
    yield "a loop", _put(lambda path: path.symlink_to(path.name))
    yield "a dead link", _put(lambda path: path.symlink_to("nowhere"))
    yield "1 TB", _put(_grow)
    for share in (0.0, 0.3, 0.9):
        yield f"cut to {share}", _cut(share)
    yield "zeros", _write(bytes(4096))
    yield "noise", _write(bytes(range(256)) * 16)
    yield "a list", _write(b"[1, 2]")
    yield "nested lists", _write(b"[" * 100_000)
    yield "nested objects", _write(b'{"a":' * 100_000)
    yield "a number too long", _write(b"1" * 10_000)
    yield "one long line", _write(b"x" * (17 * 2**20))
    yield "half a character", _write(b'{"text": "\xe2\x82"}')
    yield "a lone surrogate", _write(b'{"text": "\\ud800"}')
    yield "a pointer of Git LFS", _write(b"version https://git-lfs.github.com/spec/v1\noid x\n")
    yield "an archive", _write(b"PK\x03\x04" + bytes(64))
    yield "a packed bomb", _write(gzip.compress(bytes(2**21)))
    yield (
        "a parquet footer that claims everything",
        _write(b"PAR1" + bytes(64) + struct.pack("<I", 2**31 - 1) + b"PAR1"),
    )
    yield "another schema", _write(json.dumps({"schema": "other/9", "x": 1}).encode())


DAMAGES = dict(list_damages())
