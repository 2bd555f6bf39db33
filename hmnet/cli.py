"""`hmnet`: train one encoder for many tasks with shared, group and task layers, and use it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hmnet.console import model_commands
from hmnet.console.application import make_app, make_part
from hmnet.console.options import (
    DryRunOption,
    GpusOption,
    LogOption,
    OutOption,
    RowOptions,
    SeedsOption,
    StudyOptions,
    WorkerOptions,
    parse_integers,
    split_names,
    unfold,
)
from hmnet.console.speaking import Shown, speak
from hmnet.console.terminal import run_app, say_aside

if TYPE_CHECKING:
    from hmnet.runs.result import RunResult
    from hmnet.runs.spec import RunSpec
    from hmnet.runs.stopping_record import Stopping

commands = make_part()

Duplicate = Literal["layer", "ffn"]
DUPLICATE_HELP = "What groups and tasks own copies of: layer, or ffn, its feed-forward block."
HierarchyOption = Annotated[
    str | None, typer.Option(help="Shared, cluster and task layers. [default: as 8,2,2 of 12]")
]
GroupingsOption = Annotated[
    list[str] | None,
    typer.Option(help="NAME=groups.json, repeatable. [default: all groupings at hand]"),
]
CountOption = Annotated[
    int | None,
    typer.Option(help="Groups of a clustering. [default: as groups.json, else 3]"),
]
RunArgument = Annotated[str, typer.Argument(help="A run: its id, the start of it, or its folder.")]


@dataclass(frozen=True)
class ModelOptions:
    """Which HMNet is trained."""

    groups: Annotated[
        Path | None,
        typer.Option(help="groups.json. [default: the one in the output folder]"),
    ] = None
    hierarchy: HierarchyOption = None
    duplicate: Annotated[Duplicate, typer.Option(help=DUPLICATE_HELP)] = "layer"
    seed: Annotated[int | None, typer.Option(help="Seed. [default: the study's first]")] = None
    stages: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,Z:SHARE...",
            help="Layers shared in each part of the run, coarse to fine, and its share of the "
            'steps: "6,0,0:0.5 2,4,0:0.3 2,2,2:0.2"; a third part, :0 to :1, slows what is '
            "shared further down.",
        ),
    ] = None
    depths: Annotated[
        str | None,
        typer.Option(
            metavar="NAME:X,Y,Z...",
            help='Groups and tasks with layers of their own: "rte:0,0,12 pairs:4,8,0".',
        ),
    ] = None
    start_from: Annotated[
        str | None, typer.Option(help="A run whose weights are begun with, not the encoder's.")
    ] = None


@dataclass(frozen=True)
class ComparisonOptions:
    """Which systems are compared."""

    groups: GroupingsOption = None
    k: CountOption = None
    hierarchy: HierarchyOption = None
    skillnet: Annotated[bool, typer.Option(help="With the SkillNet-style baseline.")] = True
    duplicate: Annotated[str, typer.Option(help=f"{DUPLICATE_HELP} Or layer,ffn.")] = "layer"


@dataclass(frozen=True)
class JudgingOptions:
    """How systems are judged."""

    draws: Annotated[int, typer.Option(help="Bootstrap draws.", min=2)] = 1000
    resample_tasks: Annotated[
        bool | None,
        typer.Option(
            help="Averages with intervals for tasks like these, too. [default: the study's]"
        ),
    ] = None
    epochs: Annotated[
        str | None,
        typer.Option(
            metavar="N,N...",
            help="Single-task and multi-task at the best of these by held-out training rows. "
            "[default: the study's]",
        ),
    ] = None

    def change(self, study: StudyOptions) -> StudyOptions:
        """Return the study with these options laid over its own."""
        epochs, resample = parse_integers(self.epochs, "epochs"), self.resample_tasks
        given = {
            "epochs": None if epochs is None else str(epochs),
            "resample_tasks": None if resample is None else str(resample).lower(),
        }
        settings = [f"comparison.{key}={value}" for key, value in given.items() if value]
        return replace(study, settings=[*(study.settings or ()), *settings])


@dataclass(frozen=True)
class HierarchySweepOptions:
    """Which hierarchies are tried, with which groupings."""

    shared: Annotated[
        str | None, typer.Option(help="Shared layers x of {x,0,L-x}, such as 0,2,4 (Figure 3).")
    ] = None
    hierarchies: Annotated[
        str | None, typer.Option(help='{x,y,z} to combine, such as "8,2,2;6,4,2" (Figure 4).')
    ] = None
    groups: GroupingsOption = None
    k: CountOption = None


@dataclass(frozen=True)
class JobOptions:
    """How many jobs there are, and what is done with them."""

    seeds: SeedsOption = None
    log: LogOption = None
    dry_run: DryRunOption = False


@commands.command(epilog="Example: hmnet train --groups groups.json --hierarchy 8,2,2")
@unfold
def train(
    *,
    model: ModelOptions,
    gpus: GpusOption = None,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads. [default: one per core]")
    ] = None,
    log: LogOption = None,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Train HMNet on the study's tasks with groups of tasks."""
    output, plan = study.open(rows)
    chosen = parse_integers(gpus, "gpus")
    from hmnet.commands.stored_run import read_run, read_stopping_of
    from hmnet.commands.train import Design, train_hierarchy

    design = Design(
        model.groups,
        model.hierarchy,
        model.duplicate,
        model.seed,
        model.stages,
        model.start_from,
        model.depths,
    )
    run_id, result = train_hierarchy(
        output, plan, design, gpus=chosen, threads=threads, loggers=split_names(log) or ()
    )
    if int(os.environ.get("RANK", "0")) == 0:  # of the processes that torchrun starts
        spec = read_run(output, run_id)[0]
        _say_run(spec, result, read_stopping_of(output, run_id))


@commands.command(epilog="Example: hmnet compare --seeds 3 --dry-run")
@unfold
def compare(
    *,
    systems: ComparisonOptions,
    judging: JudgingOptions,
    jobs: JobOptions,
    workers: WorkerOptions,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Train all systems with the same budget and compare them (Table 1)."""
    output, plan = judging.change(study).open(rows, jobs.seeds)
    chosen = workers.choose(jobs.log)
    from relevance.commands.comparison_of_systems import run_compare_systems
    from relevance.systems.choose import SystemOptions
    from relevance.systems.compare import Judging

    judged = Judging(judging.draws, plan.comparison.resample_tasks)
    options = SystemOptions(
        systems.groups or (), systems.k, systems.hierarchy, systems.skillnet, systems.duplicate
    )
    speak(run_compare_systems(output, plan, chosen, options, judged, dry_run=jobs.dry_run))


@commands.command(epilog="Example: hmnet sweep --shared 0,4,8,12")
@unfold
def sweep(
    *,
    tried: HierarchySweepOptions,
    jobs: JobOptions,
    workers: WorkerOptions,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Train with several numbers of shared layers, or several hierarchies and groupings."""
    output, plan = study.open(rows, jobs.seeds)
    counts = parse_integers(tried.shared, "shared")
    chosen = workers.choose(jobs.log)
    from relevance.commands.comparison_of_systems import (
        HierarchyOptions,
        run_sweep_of_hierarchies,
    )

    options = HierarchyOptions(counts, tried.hierarchies, tried.groups or (), tried.k)
    speak(run_sweep_of_hierarchies(output, plan, chosen, options, dry_run=jobs.dry_run))


@commands.command("eval", epilog="Example: hmnet eval 13tasks-s0")
def evaluate(run: RunArgument, out: OutOption = None) -> None:
    """Print a run's scores per task, dev split and metric, and of tags by the type of entity."""
    from hmnet.commands.entity_scores import describe_types, score_types
    from hmnet.commands.stored_run import read_run, read_stopping_of
    from hmnet.folder.outputs import open_output

    output = open_output(out, create=False)
    spec, result = read_run(output, run)
    types = score_types(output, run)
    if not types.empty:
        speak([Shown(describe_types(types), types=types)])
    _say_run(spec, result, read_stopping_of(output, run))


@commands.command(epilog="Example: hmnet predict 13tasks-s0 --task rte --input rows.jsonl")
def predict(
    run: RunArgument,
    task: Annotated[str, typer.Option(help="Task whose path is used; all for every task at once.")],
    source: Annotated[
        Path,
        typer.Option(
            "--input",
            help="Rows with the task's text columns, or text and text_pair: jsonl, csv, parquet...",
        ),
    ],
    target: Annotated[
        Path | None,
        typer.Option(
            "--to",
            help="Where to write: jsonl, csv, tsv or parquet. [default: jsonl, to the terminal]",
        ),
    ] = None,
    identity: Annotated[
        str | None,
        typer.Option("--id", help="Column that names the rows. [default: row, counted from 0]"),
    ] = None,
    all_columns: Annotated[
        bool, typer.Option("--all-columns", help="Repeat every column of the input.")
    ] = False,
    out: OutOption = None,
) -> None:
    """Predict a task's label and probabilities for rows of a file; shared layers run once."""
    from hmnet.commands.predict import (
        InputColumns,
        check_target,
        predict_file,
        to_lines,
        write_predictions,
    )
    from hmnet.folder.outputs import open_output

    if target is not None:
        check_target(target)
    columns = InputColumns(identity, all_columns)
    predictions = predict_file(open_output(out, create=False), run, task, source, columns)
    say_aside(predictions.describe())
    if target is None:
        rows = (line.rstrip("\n") for line in to_lines(predictions, task))
        speak(Shown(row, predictions=[json.loads(row)]) for row in rows)
    else:
        count = write_predictions(predictions, task, target)
        speak([Shown(f"wrote {count} predictions to {target}", wrote=[target])])


@commands.command("list", epilog="Example: hmnet list 13tasks")
def list_(
    prefix: Annotated[
        str, typer.Argument(metavar="[PREFIX]", help="Start of the ids. [default: every run]")
    ] = "",
    out: OutOption = None,
) -> None:
    """List the runs of the output folder: what each is, its score, and the disk it takes."""
    from hmnet.commands.kept_runs import describe_runs, list_runs
    from hmnet.folder.outputs import open_output

    runs = list_runs(open_output(out, create=False), prefix)
    speak([Shown("\n".join(describe_runs(runs)), runs=runs)])


@commands.command(epilog="Example: hmnet remove 13tasks-s0 rte-s3 --yes")
def remove(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN...]", help="Ids, or the starts of ids.")
    ] = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Also every run that failed or was cut off.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
    out: OutOption = None,
) -> None:
    """Remove runs from the output folder, but none that is under way; asks first."""
    from hmnet.commands.kept_runs import choose_runs, describe_runs, refuse_unasked, remove_runs
    from hmnet.folder.outputs import open_output

    output = open_output(out, create=False)
    chosen = choose_runs(output, runs or (), unfinished=unfinished)
    if not yes and chosen:
        say_aside("\n".join(describe_runs(chosen)))
        if not sys.stdin.isatty():
            refuse_unasked(len(chosen))
        typer.confirm("Remove them?", abort=True, err=True)
    speak([Shown("\n".join(remove_runs(output, chosen)), removed=[each.run for each in chosen])])


def _say_run(spec: RunSpec, result: RunResult, stopping: Stopping | None) -> None:
    from hmnet.commands.stored_run import describe_run

    text = describe_run(spec, result, stopping)
    speak([Shown(text, run=spec.run_id, result=result, stopping=stopping)])


app = make_app("hmnet", __doc__, [commands, model_commands.commands])


def main() -> None:
    """Entry point of `hmnet`."""
    run_app(app)
