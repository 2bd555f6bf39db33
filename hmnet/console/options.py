"""Options that commands share, in groups: a command takes a group as one parameter.

    @app.command()
    @unfold
    def vocab(*, unit: str = "wordpiece", study: StudyOptions) -> None: ...

has the options `--unit`, `--tasks`, `--data` and so on, and gets the last ones as one object.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_type_hints

import typer

from hmnet.errors import InputError, raise_problems
from hmnet.seeding import check_seed

if TYPE_CHECKING:
    from hmnet.folder.outputs import Output
    from hmnet.jobs.workers import Workers
    from hmnet.study.study import Study
    from hmnet.study.study_file import Setting

OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="Output folder. [default: RELEVANCE_OUT, else ./relevance-out]"),
]
StudyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--study", help="Study file. [default: study.toml in the output folder, else here]"
    ),
]
GpusOption = Annotated[
    str | None, typer.Option("--gpus", help="GPUs by number, such as 0,1. [default: CPU cores]")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", help="Worker processes on CPUs. [default: one per core]")
]
SeedsOption = Annotated[
    str | None,
    typer.Option("--seeds", help="5 for seeds 0 to 4, or a list: 0,3,7. [default: the study's]"),
]
SingleSeedsOption = Annotated[
    str | None, typer.Option(help="Seeds of the single runs. [default: as --seeds]")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print runs, tokens and time; run nothing.")
]
LogOption = Annotated[
    str | None,
    typer.Option("--log", help="Also log to tensorboard or wandb (or both: tensorboard,wandb)."),
]


def unfold(command: Callable[..., None]) -> Callable[..., None]:
    """Replace each parameter that is a dataclass by one option for each of its fields."""
    fields = dataclasses.fields
    hints = get_type_hints(command, include_extras=True)
    parameters = inspect.signature(command).parameters.values()
    groups = {p.name: hints[p.name] for p in parameters if dataclasses.is_dataclass(hints[p.name])}

    @functools.wraps(command)
    def unfolded(**values: object) -> None:
        parts = {
            name: group(**{field.name: values.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**values, **parts)

    options: list[inspect.Parameter] = []
    for parameter in parameters:
        if group := groups.get(parameter.name):
            own = get_type_hints(group, include_extras=True)
            options += [_make_option(f.name, own[f.name], f.default) for f in fields(group)]
        else:
            options.append(_make_option(parameter.name, hints[parameter.name], parameter.default))
    unfolded.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    unfolded.__annotations__ = {option.name: option.annotation for option in options}
    return unfolded


def _make_option(name: str, annotation: object, default: object) -> inspect.Parameter:
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=default, annotation=annotation)


@dataclass(frozen=True)
class RowOptions:
    """How many rows of each task."""

    max_train: Annotated[
        int | None, typer.Option(help="Most training rows a task, drawn at random.")
    ] = None
    max_dev: Annotated[
        int | None, typer.Option(help="Most rows of a dev split, drawn at random.")
    ] = None


@dataclass(frozen=True)
class StudyOptions:
    """The study file, what overrides it, and the folder for what comes of it."""

    tasks: Annotated[
        str | None, typer.Option(help="Tasks, separated by commas. [default: the study's]")
    ] = None
    data: Annotated[
        Path | None, typer.Option(help="Folder with TASK/{train,validation}.{parquet,csv,jsonl}.")
    ] = None
    model: Annotated[
        str | None, typer.Option(help="Encoder: a folder or a hub id. [default: the study's]")
    ] = None
    precision: Annotated[
        str | None,
        typer.Option(help="fp32, bf16, or auto: the faster one here. [default: the study's]"),
    ] = None
    study: StudyFileOption = None
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other setting of the study file, such as training.epochs=1.",
        ),
    ] = None
    out: OutOption = None

    def open(
        self, rows: RowOptions | None = None, seeds: str | None = None
    ) -> tuple[Output, Study]:
        """Return the output folder and the study, whose rows and encoder had a first look.

        Raises:
            InputError: with every problem of the study, or of the rows of all tasks and what the
                encoder's folder lacks.
        """
        output, resolved = self.resolve(rows, seeds)
        from hmnet.data.first_look import find_row_problems
        from hmnet.encoders.parts import find_missing_parts

        missing = find_missing_parts(resolved.model, resolved.rows.max_length)
        found = find_row_problems(resolved, output.data)
        raise_problems(dict.fromkeys((*missing, *found)))
        return output, resolved

    def resolve(
        self, rows: RowOptions | None = None, seeds: str | None = None
    ) -> tuple[Output, Study]:
        """Return the output folder and the study: study file, then options, then `--set`."""
        from hmnet.folder.outputs import open_output
        from hmnet.study.study import load_study, parse_settings, resolve_study

        rows = rows or RowOptions()
        overrides = {
            "tasks": split_names(self.tasks),
            "data": self.data,
            "model": self.model,
            "training.precision": self.precision,
            "rows.max_train": rows.max_train,
            "rows.max_dev": rows.max_dev,
            "seeds": parse_seeds(seeds),
        }
        given: dict[str, Setting] = {}
        given |= {key: value for key, value in overrides.items() if value is not None}
        given |= parse_settings(self.settings or [])
        output = open_output(self.out)
        resolved = resolve_study(output.folder, self.study, given)
        if resolved != load_study(output.study_file):
            typer.echo(
                f"note: this study is not the one recorded in {output.study_file}, which later "
                "commands read; give them the same flags, or edit that file",
                err=True,
            )
        return output, resolved


@dataclass(frozen=True)
class WorkerOptions:
    """Where the runs of a sweep are done."""

    gpus: GpusOption = None
    jobs_per_gpu: Annotated[
        int | None, typer.Option(help="Runs that share a GPU. [default: as many as have room]")
    ] = None
    workers: WorkersOption = None
    scheduler: Annotated[
        str | None,
        typer.Option(help="A Dask scheduler whose workers do the runs: tcp://host:8786."),
    ] = None

    def choose(self, log: str | None = None) -> Workers:
        """Return the workers, with the loggers of `--log`."""
        from hmnet.jobs.workers import Workers

        return Workers.choose(
            parse_integers(self.gpus, "gpus"),
            self.jobs_per_gpu,
            self.workers,
            loggers=split_names(log) or (),
            scheduler=self.scheduler,
        )


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


MAX_SEEDS = 10_000


def parse_seeds(text: str | None, parameter: str = "seeds") -> list[int] | None:
    """Return the seeds: `5` means 0 to 4, `0,3,7` means these."""
    numbers = parse_integers(text, parameter)
    if numbers is not None and len(numbers) == 1 and "," not in str(text):
        if numbers[0] < 1:
            raise InputError(f"Parameter `{parameter}` should be at least 1. Found `{text}`.")
        if numbers[0] > MAX_SEEDS:
            raise InputError(
                f"Parameter `{parameter}` should be at most {MAX_SEEDS:,}, a number of seeds. "
                f"Found `{text}`. A single seed is written with a comma: `{text},`."
            )
        return list(range(numbers[0]))
    for number in numbers or ():
        check_seed(number, parameter)
    return numbers
