"""Sentences of HTML: what is put into them is escaped, always."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from reports.style.formatting import join_words


def sentence(template: str, *parts: object) -> Markup:
    """Return a sentence of HTML with `parts` in place of `{}`; parts that are text are escaped."""
    return Markup(template).format(*parts)  # noqa: S704 (our own text; parts are escaped)


def bold(name: str) -> Markup:
    """Return a task's name, set apart."""
    return sentence('<b class="task">{}</b>', name)


def join(parts: Sequence[Markup]) -> Markup:
    """Return `a, b and c`."""
    return Markup(join_words(list(parts)))  # noqa: S704 (each part is markup already)


def join_tasks(names: Sequence[str], most: int = 6) -> Markup:
    """Return the names as a list in words; the rest is counted where there are too many."""
    if len(names) > most + 1:
        return join([*map(bold, names[:most]), sentence("{} others", len(names) - most)])
    return join([bold(name) for name in names])
