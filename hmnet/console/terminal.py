"""How both command lines end: errors are printed as sentences, interrupts say how to go on."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import typer

from hmnet.errors import ClusterError, RelevanceError, describe_write
from hmnet.process_memory import keep_freed_memory, spare_collector


def run_app(app: typer.Typer) -> NoReturn:
    """Run a command line; expected errors print as sentences, and interrupts say how to go on."""
    spare_collector()
    keep_freed_memory()
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, _terminate)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    try:
        app()
    except RelevanceError as error:
        for problem in error.problems:
            typer.echo(f"error: {problem}", err=True)
        if isinstance(error, ClusterError):  # threads that wait for a scheduler never end
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(error.exit_code)
        sys.exit(error.exit_code)
    except OSError as error:  # a folder, a lock or a log; files have errors of their own
        typer.echo(f"error: {describe_write(error, error.filename)}", err=True)
        sys.exit(1)
    sys.exit(0)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)  # once is enough: the clean-up is under way
    # not through a stream, which the signal may have found in the middle of a write
    os.write(2, b"\nstopped; the same command goes on from what is finished\n")
    sys.exit(128 + number)


def say_aside(text: str) -> None:
    """Print a line to standard error."""
    typer.echo(text, err=True)
