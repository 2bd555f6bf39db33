"""The lines that commands yield, and how they reach the terminal.

>>> speak(["two groups", "wrote groups.json"])
two groups
wrote groups.json
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from hmnet.console.terminal import say_aside

if TYPE_CHECKING:
    from hmnet.jobs.prepared import PreparedStudy
    from hmnet.jobs.workers import Workers
    from hmnet.runs.job import Job
    from hmnet.runs.store import RunStore


class Aside(str):
    """A line for standard error: it is about the command, not part of its result."""

    __slots__ = ()


def speak(lines: Iterable[str]) -> None:
    """Print lines as they come."""
    for line in lines:
        if isinstance(line, Aside):
            say_aside(line)
        else:
            typer.echo(line)


def ask_on_terminal() -> Callable[[str, Sequence[str], str], str] | None:
    """Return a function that asks on the terminal, None where there is none.

    It takes a question, its possible answers and the likely one, and returns an answer.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None

    def ask(question: str, answers: Sequence[str], likely: str) -> str:
        text = f"{question} ({', '.join(answers)})"
        while (chosen := str(typer.prompt(text, default=likely))) not in answers:
            typer.echo(f"Please give one of {', '.join(answers)}.")
        return chosen

    return ask


def describe_jobs(
    prepared: PreparedStudy, jobs: Sequence[Job], store: RunStore, workers: Workers
) -> Iterator[str]:
    """Yield how many runs are done, and what the others will take, from a short timing."""
    from hmnet.jobs.estimate import print_jobs  # brings torch, which `speak` does without

    lines: list[str] = []
    print_jobs(prepared, jobs, store, workers, lines.append)
    yield from lines
