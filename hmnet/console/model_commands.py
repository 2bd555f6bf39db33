"""Commands on a finished run's model: a task more, and its use by other programs."""

from __future__ import annotations

from typing import Annotated

import typer

from hmnet.console.application import make_part
from hmnet.console.options import GpusOption, RowOptions, StudyOptions, parse_integers, unfold
from hmnet.console.speaking import Shown, speak

commands = make_part()


@commands.command(epilog="Example: hmnet extend 13tasks-s0 --task tickets --group-with mnli")
@unfold
def extend(
    run: Annotated[str, typer.Argument(help="A run: its id, the start of it, or its folder.")],
    *,
    task: Annotated[str, typer.Option(help="A task of the study: a new one, or one to update.")],
    group_with: Annotated[
        str | None,
        typer.Option(help="A task whose group a new one joins. [default: a group of its own]"),
    ] = None,
    gpus: GpusOption = None,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads. [default: one per core]")
    ] = None,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Train one task in a finished run's model; all that other tasks use stays as it is."""
    output, plan = study.open(rows)
    chosen = parse_integers(gpus, "gpus")
    from hmnet.commands.extend import Extension, extend_run
    from hmnet.commands.stored_run import describe_run
    from hmnet.commands.train import choose_machine

    machine = choose_machine(chosen, threads)
    run_id, result = extend_run(output, plan, Extension(run, task, group_with), machine)
    speak([Shown(describe_run(run_id, result), run=run_id, result=result)])
