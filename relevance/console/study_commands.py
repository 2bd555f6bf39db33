"""Commands that look at rows: a study begun, checked and described."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from hmnet.console.application import make_part
from hmnet.console.options import (
    RowOptions,
    StudyOptions,
    unfold,
)
from hmnet.console.speaking import speak

app = make_part()


@dataclass(frozen=True)
class StartFlags:
    """What `relevance init` is told about files, in place of a guess."""

    label: Annotated[
        str | None, typer.Option(help="Label column of every file. [default: guessed]")
    ] = None
    group: Annotated[
        str | None, typer.Option(help="Column whose equal values stay in one split.")
    ] = None
    dev_frac: Annotated[float, typer.Option(help="Share of a single file's rows for dev.")] = 0.2
    seed: Annotated[int, typer.Option(help="Seed of that draw.")] = 0
    skip: Annotated[bool, typer.Option("--skip", help="Leave out files that are no task.")] = False
    model: Annotated[
        str | None, typer.Option(help="Encoder: a folder or a hub id. [default: the paper's]")
    ] = None


@app.command(epilog="Example: relevance init tickets --group customer")
@unfold
def init(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="[FOLDER]",
            help="Files of rows: csv, tsv, jsonl, parquet; or a hub id: owner/name, "
            "owner/name:config.",
        ),
    ] = Path(),
    preset: Annotated[
        str | None, typer.Option("--from", help="paper or planted, in place of a folder.")
    ] = None,
    *,
    options: StartFlags,
    study: Annotated[Path, typer.Option("--study", help="Study file to write.")] = Path(
        "study.toml"
    ),
) -> None:
    """Look at files of rows and write a study of them: every guess a line, with its reason."""
    from hmnet.starting.dev_split import SplitOptions
    from hmnet.starting.folder_study import StartOptions
    from relevance.commands.lines import ask_on_terminal
    from relevance.commands.start_study import run_init

    split = SplitOptions(options.dev_frac, options.seed, options.group)
    model = options.model or StartOptions.model
    chosen = StartOptions(preset, options.label, options.skip, split, model)
    speak(run_init(folder, study, chosen, ask_on_terminal()))


@app.command(epilog="Example: relevance check --study study.toml")
@unfold
def check(*, rows: RowOptions, study: StudyOptions) -> None:
    """Validate a study and all of its rows, and show each task as it will be trained."""
    output, plan = study.open(rows)
    from relevance.commands.check_study import run_check

    speak(run_check(output, plan))


@app.command(epilog="Example: relevance tasks --tasks rte,mrpc")
@unfold
def tasks(
    *,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Describe each task's data: rows, labels, token lengths, metrics (Table 4); tasks.parquet."""
    output, plan = study.open(rows)
    from relevance.commands.description_of_tasks import run_tasks

    speak(run_tasks(output, plan))
