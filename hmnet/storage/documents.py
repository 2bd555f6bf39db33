"""Documents: JSON with a `schema` field ("groups/1"), written whole and read checked.

Unknown fields are refused, and all problems are reported at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from pydantic import TypeAdapter, ValidationError

from hmnet.errors import InputError
from hmnet.storage.files import write_bytes
from hmnet.storage.limits import LimitError
from hmnet.storage.regular_files import read_regular

T = TypeVar("T")

MAX_DOCUMENT_BYTES = 64 * 2**20


class FieldProblem(TypedDict):
    """What is read of one entry of a validation error."""

    type: str
    loc: tuple[int | str, ...]
    msg: str
    input: object


def describe_problems(error: ValidationError, where: str) -> tuple[str, ...]:
    """Translate a validation error into one sentence per problem, each led by `where`."""
    return tuple(
        f"{where}: {sentence}"
        for problem in error.errors(include_url=False)
        for sentence in describe_problem(problem)
    )


def describe_problem(problem: FieldProblem, keys: Sequence[int | str] | None = None) -> list[str]:
    """Translate one entry of a validation error into sentences.

    A type's own check may report several problems, a line each; they come through as they are.

    Args:
        keys: where it is, in place of the error's own words.
    """
    keys = problem["loc"] if keys is None else keys
    name = ".".join(str(key) for key in keys) or "(top level)"
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


def _show(value: object) -> str:
    try:
        shown = repr(value)
    except ValueError:  # an integer with more digits than Python prints
        return "a number too long to print"
    return shown if len(shown) <= 80 else shown[:77] + "..."


def parse(kind: type[T], content: object, where: str) -> T:
    """Validate `content` (plain lists and dictionaries) as a `kind`.

    Raises:
        InputError: with every problem, each led by `where`.
    """
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        raise InputError(*describe_problems(error, where)) from None


def to_plain(value: object) -> dict[str, Any]:
    """Return `value` (a validated dataclass) as plain dictionaries, lists and scalars."""
    return TypeAdapter(type(value)).dump_python(value, mode="json")


def write_document(path: Path, schema: str, value: object) -> None:
    """Write a validated dataclass as an indented JSON document of the named schema."""
    content = {"schema": schema, **to_plain(value)}
    write_bytes(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())


def read_document(path: Path, schema: str, kind: type[T]) -> T:
    """Read a JSON document of the named schema.

    Raises:
        InputError: if the file is missing, is no JSON, has another schema, or does not fit.
    """
    return parse_document(read_json(path), schema, kind, str(path))


def parse_document(content: Mapping[str, object], schema: str, kind: type[T], where: str) -> T:
    """Validate what `read_json` returned as a document of the named schema.

    Raises:
        InputError: if it has another schema, or does not fit.
    """
    rest = {name: value for name, value in content.items() if name != "schema"}
    if (found := content.get("schema")) != schema:
        raise InputError(f"{where}: Parameter `schema` should be `{schema}`. Found `{found}`.")
    return parse(kind, rest, where)


def read_json(path: Path) -> dict[str, object]:
    """Read a JSON object, with a limit on its size and a clear error."""
    try:
        text = read_regular(path, MAX_DOCUMENT_BYTES).decode("utf-8")
        content = json.loads(text, object_pairs_hook=_refuse_repeats)
    except FileNotFoundError:
        raise InputError(f"{path}: the file does not exist.") from None
    except LimitError as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: the file should be JSON. Found: {error}.") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: the file should hold a JSON object. Found a list or a scalar.")
    return content


def _refuse_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Build a JSON object; a repeated key would silently lose what came first."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = sorted({key for key in keys if keys.count(key) > 1})
        raise ValueError(f"repeated keys: {', '.join(repeated)}")
    return content
