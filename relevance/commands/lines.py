"""Lines that several commands yield, and what a command asks on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from hmnet.jobs.prepared import PreparedStudy
    from hmnet.jobs.workers import Workers
    from hmnet.runs.job import Job
    from hmnet.runs.store import RunStore


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
    from hmnet.jobs.estimate import list_jobs  # brings torch, which others do without

    yield from list_jobs(prepared, jobs, store, workers)
