"""Commands on a finished run's model: a task more, and its use by other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from hmnet.console.application import make_part
from hmnet.console.options import (
    GpusOption,
    OutOption,
    RowOptions,
    StudyOptions,
    parse_integers,
    unfold,
)
from hmnet.console.speaking import Shown, speak, wrote
from hmnet.console.terminal import say_aside

commands = make_part()
RunArgument = Annotated[str, typer.Argument(help="A run: its id, the start of it, or its folder.")]
Format = Literal["transformers", "onnx"]
HERE = "127.0.0.1"


@commands.command(epilog="Example: hmnet extend 13tasks-s0 --task tickets --group-with mnli")
@unfold
def extend(
    run: RunArgument,
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
    spec, result = extend_run(output, plan, Extension(run, task, group_with), machine)
    speak([Shown(describe_run(spec, result), run=spec.run_id, result=result)])


@dataclass(frozen=True)
class ModelExportOptions:
    """What is written, and where it goes from there."""

    format: Annotated[
        Format, typer.Option("--format", help="transformers: a model folder; onnx: a graph.")
    ] = "transformers"
    int8: Annotated[
        bool, typer.Option("--int8", help="An ONNX graph in int8 too, with its dev scores.")
    ] = False
    push_to_hub: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/NAME", help="Upload the folder to the hub, as a private model."
        ),
    ] = None
    public: Annotated[
        bool, typer.Option("--public", help="A new repository on the hub is public.")
    ] = False
    license: Annotated[str | None, typer.Option(help="For the model card, such as apache-2.0.")] = (
        None
    )

    def check(self) -> None:
        """Refuse options that do not go together."""
        from hmnet.commands.export_whole import check_repository
        from hmnet.errors import raise_problems

        if self.push_to_hub is not None:
            check_repository(self.push_to_hub)
        needs = {"int8": (self.int8, self.format == "onnx", "--format onnx")}
        needs["public"] = (self.public, self.push_to_hub is not None, "--push-to-hub")
        raise_problems(
            f"Parameter `{name}` should be given with `{other}`. Found it alone."
            for name, (is_given, fits, other) in needs.items()
            if is_given and not fits
        )


@commands.command(epilog="Example: hmnet export 13tasks-s0 --task rte --to rte-model")
@unfold
def export(
    run: RunArgument,
    *,
    task: Annotated[str, typer.Option(help="Task whose path is exported; all: the whole HMNet.")],
    folder: Annotated[Path, typer.Option("--to", help="New folder for the model.")],
    options: ModelExportOptions,
    out: OutOption = None,
) -> None:
    """Write a task's path as a Hugging Face model or an ONNX graph, or the whole HMNet."""
    options.check()
    from hmnet.folder.outputs import open_output

    output = open_output(out, create=False)
    if options.format == "onnx":
        from hmnet.commands.export_onnx import export_onnx

        record = export_onnx(output, run, task, folder, int8=options.int8)
        speak([Shown("\n".join(record.describe()), graph=record)])
    elif task == "all":
        from hmnet.commands.export_whole import export_whole

        export_whole(output, run, folder, options.license)
    else:
        from hmnet.commands.export import export_task

        export_task(output, run, task, folder, options.license)
    speak([wrote(folder)])
    if options.push_to_hub is not None:
        from hmnet.commands.export_whole import push_folder

        address = push_folder(folder, options.push_to_hub, public=options.public)
        speak([Shown(f"pushed to {address}", pushed=[address])])


@dataclass(frozen=True)
class ServingOptions:
    """Where a server listens, and how much it takes."""

    host: Annotated[str, typer.Option(help="Address; the default is this machine alone.")] = HERE
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")] = 8000
    threads: Annotated[int | None, typer.Option(help="CPU threads. [default: one per core]")] = None
    window_ms: Annotated[
        float, typer.Option(min=0, max=1000, help="How long a request waits for others.")
    ] = 5.0
    max_rows: Annotated[int, typer.Option(min=1, help="Rows of a request.")] = 256
    max_body: Annotated[int, typer.Option(min=1, help="Bytes of a request's body.")] = 4_000_000


@commands.command(epilog="Example: hmnet serve 13tasks-s0 --port 8000")
@unfold
def serve(run: RunArgument, *, serving: ServingOptions, out: OutOption = None) -> None:
    """Answer all tasks of a run over HTTP, from one process; shared layers run once."""
    from hmnet.serving.server import make_server, open_socket, require_serving

    require_serving()
    import torch

    from hmnet.commands.trained_model import load_trained
    from hmnet.jobs.workers import Workers
    from hmnet.serving.request_limits import Limits

    limits = Limits(
        window_s=serving.window_ms / 1000,
        max_rows=serving.max_rows,
        max_body_bytes=serving.max_body,
    )
    listening = open_socket(serving.host, serving.port)
    torch.set_num_threads(Workers.choose(None, 1, serving.threads).count)
    model = load_trained(run, out)
    host, port = listening.getsockname()[:2]
    say_aside(f"serving {model.spec.run_id} at http://{host}:{port} ({', '.join(model.tasks)})")
    make_server(model, limits).run(sockets=[listening])
