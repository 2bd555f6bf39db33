"""`hmnet`: train one encoder for many tasks with shared, group and task layers, and use it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmnet.terminal import (
    DataOption,
    GpusOption,
    MaxDevOption,
    MaxTrainOption,
    ModelOption,
    OutOption,
    SetOption,
    StudyOption,
    TasksOption,
    open_study,
    parse_integers,
    run_app,
    split_names,
)

app = typer.Typer(
    name="hmnet",
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

RunArgument = Annotated[str, typer.Argument(help="A run: its id, the start of it, or its folder.")]


@app.command()
def train(
    groups: Annotated[
        Path | None,
        typer.Option(help="groups.json. [default: the one in the output folder]"),
    ] = None,
    hierarchy: Annotated[
        str | None,
        typer.Option(help="Shared, cluster and task layers. [default: as 8,2,2 of 12]"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed. [default: the study's first]")] = None,
    gpus: GpusOption = None,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads. [default: one per core]")
    ] = None,
    tasks: TasksOption = None,
    data: DataOption = None,
    model: ModelOption = None,
    max_train: MaxTrainOption = None,
    max_dev: MaxDevOption = None,
    study: StudyOption = None,
    settings: SetOption = None,
    out: OutOption = None,
) -> None:
    """Train HMNet on the study's tasks with groups of tasks."""
    output, plan = open_study(
        out,
        study,
        settings,
        tasks=split_names(tasks),
        data=data,
        model=model,
        rows__max_train=max_train,
        rows__max_dev=max_dev,
    )
    from hmnet.training import describe_run, train_hierarchy

    run_id, result = train_hierarchy(
        output, plan, groups, hierarchy, seed, parse_integers(gpus, "gpus"), threads
    )
    typer.echo(describe_run(run_id, result))


@app.command("eval")
def evaluate(run: RunArgument, out: OutOption = None) -> None:
    """Print a run's scores per task, dev split and metric."""
    from hmnet.outputs import open_output
    from hmnet.training import describe_run, read_run

    run_id, result = read_run(open_output(out, create=False), run)
    typer.echo(describe_run(run_id, result))


@app.command()
def predict(
    run: RunArgument,
    task: Annotated[str, typer.Option(help="Task whose path is used.")],
    source: Annotated[
        Path,
        typer.Option("--input", help="Rows with the task's text columns: jsonl, csv, parquet."),
    ],
    target: Annotated[
        Path | None, typer.Option("--output", help="Where to write jsonl. [default: the terminal]")
    ] = None,
    out: OutOption = None,
) -> None:
    """Predict a task's label and probabilities for rows of a file."""
    from hmnet.outputs import open_output
    from hmnet.training import predict_file

    lines = predict_file(open_output(out, create=False), run, task, source)
    if target is None:
        typer.echo("".join(lines), nl=False)
    else:
        from hmnet.storage import write_bytes

        write_bytes(target, "".join(lines).encode())
        typer.echo(f"wrote {len(lines)} predictions to {target}")


@app.command()
def export(
    run: RunArgument,
    task: Annotated[str, typer.Option(help="Task whose path is exported.")],
    folder: Annotated[Path, typer.Option("--out", help="New folder for the model.")],
    store: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Output folder. [default: RELEVANCE_OUT, else ./relevance-out]"
        ),
    ] = None,
) -> None:
    """Write a task's path as an ordinary Hugging Face model folder."""
    from hmnet.outputs import open_output
    from hmnet.training import export_task

    export_task(open_output(store, create=False), run, task, folder)
    typer.echo(f"wrote {folder}")


def main() -> None:
    """Entry point of `hmnet`."""
    run_app(app)
