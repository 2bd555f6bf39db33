"""The lines that commands yield, and how they reach the terminal.

>>> speak(["two groups", "wrote groups.json"])
two groups
wrote groups.json
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from hmnet.console.terminal import say_aside
from hmnet.runs.job import Job
from hmnet.runs.store import RunStore

if TYPE_CHECKING:
    from hmnet.jobs.prepared import PreparedStudy
    from hmnet.jobs.workers import Workers


class Aside(str):
    """A line for standard error: it is about the command, not of its result."""

    __slots__ = ()


def speak(lines: Iterable[str]) -> None:
    """Print lines as they come."""
    for line in lines:
        if isinstance(line, Aside):
            say_aside(line)
        else:
            typer.echo(line)


def describe_jobs(
    prepared: PreparedStudy, jobs: Sequence[Job], store: RunStore, workers: Workers
) -> Iterator[str]:
    """Yield how many runs are done, and what the others will take, from a short timing."""
    from hmnet.jobs.estimate import print_jobs

    lines: list[str] = []
    print_jobs(prepared, jobs, store, workers, lines.append)
    yield from lines
