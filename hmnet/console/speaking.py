"""How commands say what they found: lines for people, or one JSON document for programs (`--json`).

A command yields lines. One that is `Shown` carries the values behind its text, an `Aside` belongs
to standard error. Nothing else is needed for `--json`, which every command has.

>>> speak(["two groups", Shown("wrote groups.json", wrote=["groups.json"])])
two groups
wrote groups.json
>>> with page(as_json=True):
...     speak(["two groups", Shown("wrote groups.json", wrote=["groups.json"])])
{"schema": "printed/1", "lines": ["two groups", "wrote groups.json"], "wrote": ["groups.json"]}
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Self

import typer

from hmnet.console.terminal import say_aside

PRINTED_SCHEMA = "printed/1"


class Aside(str):
    """A line for standard error: it is about the command, not part of its result."""

    __slots__ = ()


class Shown(str):
    """Text for the terminal, with the values that it shows.

    Attributes:
        values: name to value: plain values, paths, data frames, dataclasses, and what holds these.
    """

    values: Mapping[str, object]

    def __new__(cls, text: str, **values: object) -> Self:
        """Return the text, as a string that knows its values."""
        shown = super().__new__(cls, text)
        shown.values = values
        return shown


class _Page:
    """What a command has said so far, for one JSON document."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.values: dict[str, object] = {}

    def add(self, line: str) -> None:
        self.lines += line.splitlines()
        for name, value in (line.values if isinstance(line, Shown) else {}).items():
            plain, before = to_json(value), self.values.get(name)
            is_more = isinstance(plain, list) and isinstance(before, list)
            self.values[name] = [*before, *plain] if is_more else plain  # type: ignore[misc]

    def render(self) -> str:
        content = {"schema": PRINTED_SCHEMA, "lines": self.lines, **self.values}
        return json.dumps(content, ensure_ascii=False, allow_nan=False)


_page: ContextVar[_Page | None] = ContextVar("page", default=None)


@contextmanager
def page(*, as_json: bool) -> Iterator[None]:
    """Have what is said meanwhile printed at the end, as one JSON document, if `as_json`.

    What was said before an error is printed too; nothing is where nothing was said.
    """
    held = _Page() if as_json else None
    token = _page.set(held)
    try:
        yield
    finally:
        _page.reset(token)
        if held is not None and held.lines:
            typer.echo(held.render())


def speak(lines: Iterable[str]) -> None:
    """Print lines as they come."""
    held = _page.get()
    for line in lines:
        if isinstance(line, Aside):
            say_aside(line)
        elif held is not None:
            held.add(line)
        else:
            typer.echo(line)


def wrote(*paths: object) -> Shown:
    """Return the line that names written files.

    >>> wrote("clusters.parquet", "groups.json")
    'wrote clusters.parquet and groups.json'
    """
    return Shown(f"wrote {' and '.join(str(path) for path in paths)}", wrote=list(paths))


def to_json(value: object) -> object:
    """Return a value as JSON has it: frames as a list of rows, what is no finite number as null."""
    if isinstance(value, Mapping):
        return {str(key): to_json(part) for key, part in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_json({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if hasattr(value, "to_dict"):  # a data frame
        return to_json(value.to_dict(orient="records"))
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(part) for part in value]
    if hasattr(value, "tolist"):  # numpy's arrays and numbers
        return to_json(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)
