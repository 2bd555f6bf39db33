"""What both command lines are: their help, and commands in the order in which they are declared."""

from __future__ import annotations

import typer


def make_app(name: str | None = None, description: str | None = None) -> typer.Typer:
    """Return a command line without commands, or, without a name, a part of one."""
    return typer.Typer(
        name=name,
        help=description,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
