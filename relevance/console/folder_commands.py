"""Commands on the output folder: what it holds, and whether it is whole."""

from __future__ import annotations

from typing import Annotated

import typer

from hmnet.console.application import make_part
from hmnet.console.options import (
    OutOption,
)
from hmnet.console.speaking import Shown, speak

app = make_part()


@app.command(epilog="Example: relevance status --out relevance-out")
def status(out: OutOption = None) -> None:
    """Say what the output folder holds and how far its runs are; works while a sweep runs."""
    from hmnet.folder.outputs import open_output
    from hmnet.folder.status import describe_status, find_states
    from relevance.measures import list_stages

    output = open_output(out, create=False)
    text = "\n".join(describe_status(output, list_stages(output)))
    speak([Shown(text, folder=output.folder, runs=find_states(output.runs.folder))])


@app.command(epilog="Example: relevance verify --redo")
def verify(
    redo: Annotated[
        bool, typer.Option("--redo", help="Have runs with damaged files done again.")
    ] = False,
    out: OutOption = None,
) -> None:
    """Check every file of the output folder; the exit code is not zero if one is damaged."""
    from hmnet.errors import InputError
    from hmnet.folder.integrity import describe_doubts, discard_damaged
    from hmnet.folder.integrity import verify as find_problems
    from hmnet.folder.outputs import open_output

    output = open_output(out, create=False)
    problems = list(find_problems(output))
    if redo and (again := discard_damaged(problems)):
        speak([f"to be done again by the next command: {', '.join(again)}"])
    if problems:
        raise InputError(*(problem.text for problem in problems))
    speak([*describe_doubts(output), Shown("every file is whole", whole=True)])
