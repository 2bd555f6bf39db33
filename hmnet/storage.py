"""Reading and writing files so that a reader never sees half of one.

- A write goes to a temporary file in the same folder, is synced, then renamed.
- A document is JSON with a `schema` field ("groups/1"); unknown fields are refused and all
  problems are reported at once.
- A table is parquet with its schema name and provenance in the footer metadata.

The libraries of tables are imported where one is read or written: a command that reads documents
alone answers at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from hmnet import limits
from hmnet.errors import InputError, WriteError, describe_write, first_line

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

MAX_DOCUMENT_BYTES = 64 * 2**20
_FOOTER_KEY = b"relevance"


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically: temporary file, sync, rename.

    Raises:
        WriteError: if it cannot be written; what was there before is whole.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
    except OSError as error:
        raise WriteError(describe_write(error, path)) from error


def append_line(path: Path, line: str) -> None:
    """Append a line to a text file.

    Raises:
        WriteError: if it cannot be written; a last line that was cut short may be left.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise WriteError(describe_write(error, path)) from error


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value


def canonical_json(value: Any) -> str:
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


def digest_file(path: Path) -> str:
    """Return 32 hex digits (BLAKE2b) of a file's content."""
    state = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            state.update(chunk)
    return state.hexdigest()


def describe_problems(error: ValidationError, where: str) -> tuple[str, ...]:
    """Translate a validation error into one sentence per problem, each led by `where`."""
    return tuple(
        f"{where}: {sentence}"
        for problem in error.errors(include_url=False)
        for sentence in describe_problem(problem)
    )


def describe_problem(problem: Any) -> list[str]:
    """Translate one entry of a validation error into sentences.

    A type's own check may report several problems, a line each; they come through as they are.
    """
    name = ".".join(str(part) for part in problem["loc"]) or "(top level)"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return [f"Parameter `{name}` is unknown."]
    if problem["type"] == "missing":
        return [f"Parameter `{name}` is missing."]
    _, should, what = message.partition(" should ")
    if problem["type"] == "value_error" or not should:
        return list(message.splitlines())
    what = what.replace("valid tuple", "valid list")  # as files call it
    return [f"Parameter `{name}` should {what}. Found `{_show(problem['input'])}`."]


def _show(value: Any) -> str:
    try:
        shown = repr(value)
    except ValueError:  # an integer with more digits than Python prints
        return "a number too long to print"
    return shown if len(shown) <= 80 else shown[:77] + "..."


def parse(kind: type[T], content: Any, where: str) -> T:
    """Validate `content` (plain lists and dictionaries) as a `kind`.

    Raises:
        InputError: with every problem, each led by `where`.
    """
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        raise InputError(*describe_problems(error, where)) from None


def to_plain(value: Any) -> Any:
    """Return `value` (a validated dataclass) as plain dictionaries, lists and scalars."""
    return TypeAdapter(type(value)).dump_python(value, mode="json")


def write_document(path: Path, schema: str, value: Any) -> None:
    """Write a validated dataclass as an indented JSON document of the named schema."""
    content = {"schema": schema, **to_plain(value)}
    write_bytes(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())


def read_document(path: Path, schema: str, kind: type[T]) -> T:
    """Read a JSON document of the named schema.

    Raises:
        InputError: if the file is missing, is no JSON, has another schema, or does not fit.
    """
    content = read_json(path)
    found = content.pop("schema", None)
    if found != schema:
        raise InputError(f"{path}: Parameter `schema` should be `{schema}`. Found `{found}`.")
    return parse(kind, content, str(path))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object, with a limit on its size and a clear error."""
    try:
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            raise InputError(f"{path}: the file should have at most {MAX_DOCUMENT_BYTES} bytes.")
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_refuse_repeats)
    except FileNotFoundError:
        raise InputError(f"{path}: the file does not exist.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: the file should be JSON. Found: {error}.") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: the file should hold a JSON object. Found a list or a scalar.")
    return content


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object; a repeated key would silently lose what came first."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = sorted({key for key in keys if keys.count(key) > 1})
        raise ValueError(f"repeated keys: {', '.join(repeated)}")
    return content


def write_table(
    path: Path, frame: pd.DataFrame, schema: str, provenance: Mapping[str, Any]
) -> None:
    """Write `frame` as parquet with schema name and provenance in the footer, atomically."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    footer = canonical_json({"schema": schema, "provenance": provenance}).encode()
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _FOOTER_KEY: footer})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    write_bytes(path, sink.getvalue().to_pybytes())


def read_table(path: Path, schema: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read a parquet table of the named schema; return it with its provenance.

    Raises:
        InputError: if the file is missing, is no parquet, or has another schema.
    """
    frame, metadata = read_parquet(path)
    try:
        footer = json.loads(metadata[_FOOTER_KEY])
        found, provenance = footer["schema"], dict(footer["provenance"])
    except (KeyError, ValueError, TypeError):
        found, provenance = None, {}
    if found != schema:
        raise InputError(f"{path}: the table's schema should be `{schema}`. Found `{found}`.")
    return frame, provenance


def read_parquet(path: Path) -> tuple[pd.DataFrame, Mapping[bytes, bytes]]:
    """Read a parquet file, its pages' checksums verified; return it with its metadata.

    Raises:
        InputError: if the file is missing, is no parquet, is damaged, or claims more than the
            limits (`hmnet.limits`).
    """
    import pyarrow.parquet as pq

    try:
        # `pq.read_table` would take `a=1/` in a path for a column
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            limits.check_footer(file.metadata)
            table = file.read()
        return table.to_pandas(), table.schema.metadata or {}
    except FileNotFoundError:
        raise InputError(f"{path}: the file does not exist.") from None
    except limits.LimitError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # noqa: BLE001 (a damaged footer raises nearly anything)
        raise InputError(
            f"{path}: the file should be parquet. Found: {first_line(error)}"
        ) from None
