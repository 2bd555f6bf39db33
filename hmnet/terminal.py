"""What both commands share: options, and how errors and interrupts end."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from hmnet.errors import InputError, RelevanceError, describe_write

if TYPE_CHECKING:
    from hmnet.outputs import Output
    from hmnet.study import Study

OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="Output folder. [default: RELEVANCE_OUT, else ./relevance-out]"),
]
StudyOption = Annotated[
    Path | None,
    typer.Option(
        "--study", help="Study file. [default: study.toml in the output folder, else here]"
    ),
]
TasksOption = Annotated[
    str | None, typer.Option("--tasks", help="Tasks, separated by commas. [default: the study's]")
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Folder with TASK/{train,validation}.{parquet,csv,jsonl}."),
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="Encoder: a folder or a hub id. [default: the study's]"),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any other setting of the study file, such as training.epochs=1.",
    ),
]
MaxTrainOption = Annotated[
    int | None, typer.Option("--max-train", help="Most training rows a task, drawn at random.")
]
MaxDevOption = Annotated[
    int | None, typer.Option("--max-dev", help="Most rows of a dev split, drawn at random.")
]
GpusOption = Annotated[
    str | None, typer.Option("--gpus", help="GPUs by number, such as 0,1. [default: CPU cores]")
]
JobsPerGpuOption = Annotated[
    int | None, typer.Option(help="Runs that share a GPU. [default: as many as have room]")
]
SeedsOption = Annotated[
    str | None,
    typer.Option("--seeds", help="5 for seeds 0 to 4, or a list: 0,3,7. [default: the study's]"),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print runs, tokens and time; run nothing.")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", help="Worker processes on CPUs. [default: one per core]")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler", help="A Dask scheduler whose workers do the runs: tcp://host:8786."
    ),
]
LogOption = Annotated[
    str | None,
    typer.Option("--log", help="Also log to tensorboard or wandb (or both: tensorboard,wandb)."),
]


def run_app(app: typer.Typer) -> NoReturn:
    """Run a command line; expected errors print as sentences, and interrupts say how to go on."""
    signal.signal(signal.SIGTERM, _terminate)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    try:
        app()
    except RelevanceError as error:
        for problem in error.problems:
            typer.echo(f"error: {problem}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:  # a folder, a lock or a log; files have errors of their own
        typer.echo(f"error: {describe_write(error, error.filename or 'unknown')}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        _say_how_to_go_on()
        sys.exit(130)
    sys.exit(0)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    _say_how_to_go_on()
    sys.exit(128 + number)


def _say_how_to_go_on() -> None:
    typer.echo("\nstopped; the same command goes on from what is finished", err=True)


def say_aside(text: str) -> None:
    """Print a line to standard error."""
    typer.echo(text, err=True)


def split_names(text: str | None) -> list[str] | None:
    """Return the names in `a,b,c`."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def parse_integers(text: str | None, parameter: str) -> list[int] | None:
    """Return the numbers in `0,1,2`.

    Raises:
        InputError: if a part is not a whole number.
    """
    names = split_names(text)
    if names is None:
        return None
    if not names or not all(name.isdigit() for name in names):
        raise InputError(
            f"Parameter `{parameter}` should be whole numbers separated by commas. Found `{text}`."
        )
    return [int(name) for name in names]


def parse_seeds(text: str | None, parameter: str = "seeds") -> list[int] | None:
    """Return the seeds: `5` means 0 to 4, `0,3,7` means these."""
    numbers = parse_integers(text, parameter)
    if numbers is not None and len(numbers) == 1 and "," not in str(text):
        if numbers[0] < 1:
            raise InputError(f"Parameter `{parameter}` should be at least 1. Found `{text}`.")
        return list(range(numbers[0]))
    return numbers


def open_study(
    out: Path | None,
    study: Path | None,
    settings: list[str] | None = None,
    **flags: Any,
) -> tuple[Output, Study]:
    """Return the output folder and the study: study file, then flags.

    Args:
        settings: `KEY=VALUE` pairs of `--set`.
        flags: further overrides by dotted key (`__` for the dot); None is not an override.
    """
    from hmnet.outputs import open_output
    from hmnet.study import load_study, parse_settings, resolve_study

    overrides = {key.replace("__", "."): value for key, value in flags.items() if value is not None}
    overrides.update(parse_settings(settings or []))
    output = open_output(out)
    resolved = resolve_study(output.folder, study, overrides)
    if resolved != load_study(output.study_file):
        typer.echo(
            f"note: this study is not the one recorded in {output.study_file}, which later "
            "commands read; give them the same flags, or edit that file",
            err=True,
        )
    return output, resolved
