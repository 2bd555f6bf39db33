"""What both command lines are: `-h`, `--version`, completion, and what every command has.

Every command takes `--json` (`hmnet.console.speaking`); one that is refused leaves no new folder.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, get_type_hints

import typer

from hmnet.console.speaking import page
from hmnet.folder.newly_made import taking_back
from hmnet.version import VERSION

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]


def _show_version(context: typer.Context, is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"{context.command.name} {VERSION}")
        raise typer.Exit


VersionOption = Annotated[
    bool,
    typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
]


def _start(version: VersionOption = False) -> None:
    """Take the options that stand before a command."""


def make_part() -> typer.Typer:
    """Return a part of a command line, for some of its commands."""
    return typer.Typer()


def make_app(name: str, description: str | None, parts: Sequence[typer.Typer]) -> typer.Typer:
    """Return a command line with the commands of its parts, in their order."""
    app = typer.Typer(
        name=name,
        help=description,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_start)
    for part in parts:
        for command in part.registered_commands:
            if command.callback is not None:
                command.callback = _complete(command.callback)
        app.add_typer(part)
    return app


def _complete(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with `--json`, which takes back the folder that it made if it is refused."""

    @functools.wraps(command)
    def completed(*, json: bool = False, **values: object) -> None:
        with page(as_json=json), taking_back():
            command(**values)

    hints = get_type_hints(command, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        each.replace(annotation=hints[each.name], kind=keyword)
        for each in inspect.signature(command).parameters.values()
    ]
    added = inspect.Parameter("json", keyword, default=False, annotation=JsonOption)
    completed.__signature__ = inspect.Signature([*parameters, added])  # type: ignore[attr-defined]
    completed.__annotations__ = {**hints, "json": JsonOption}
    return completed
