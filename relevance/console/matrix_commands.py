"""Commands on matrices and results, wherever these were measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from hmnet.console.application import make_part
from hmnet.console.options import (
    DryRunOption,
    OutOption,
    RowOptions,
    StudyFileOption,
    StudyOptions,
    WorkerOptions,
    unfold,
)
from hmnet.console.speaking import speak

if TYPE_CHECKING:
    from relevance.imported.imported_results import ImportOptions


TargetsOption = Annotated[
    str, typer.Option("--targets", help="Where a wide table has its targets: columns or rows.")
]
app = make_part()


@dataclass(frozen=True)
class ImportFlags:
    """What a table of results does not say itself."""

    kind: Annotated[
        str | None, typer.Option(help="scores, predictions or matrix. [default: by the columns]")
    ] = None
    metric: Annotated[
        str | None,
        typer.Option(help="Metric where no column names it. [predictions: by the labels]"),
    ] = None
    unit: Annotated[
        str, typer.Option(help="Scores or values: fraction, percent, or auto: percent beyond 1.")
    ] = "auto"
    lower_is_better: Annotated[
        bool, typer.Option("--lower-is-better", help="Scores are losses or errors.")
    ] = False
    targets: TargetsOption = "columns"
    holds: Annotated[
        str | None,
        typer.Option(help="A matrix of gains or relevance. [default: gains if one is below 0]"),
    ] = None

    def choose(self) -> ImportOptions:
        """Return the options, checked where they are used."""
        from relevance.imported.imported_results import ImportOptions

        return ImportOptions(
            kind=self.kind,
            metric=self.metric,
            unit=cast(Any, self.unit),
            lower_is_better=self.lower_is_better,
            targets=cast(Any, self.targets),
            holds=self.holds,
        )


@app.command(epilog="Example: relevance cluster --k auto")
def cluster(
    k: Annotated[str, typer.Option("--k", help="Number of groups, or auto.")] = "3",
    matrix: Annotated[
        str | None,
        typer.Option(
            help="A measure (`relevance measures`), paper:table2, paper:table3, or a file of a "
            "matrix, of scores or of predictions. [default: pairwise, else vocab]"
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="kmeans (the paper's), exact, exact-lower-bound, spectral; with --k auto also "
            "expected, the highest gain to be expected. [default: kmeans; expected for --k auto on "
            "gains]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the initialisations.")] = 0,
    targets: TargetsOption = "columns",
    study: StudyFileOption = None,
    out: OutOption = None,
) -> None:
    """Group the tasks by a relevance matrix; write groups.json and how stable the groups are."""
    from relevance.commands.grouping_of_tasks import run_cluster

    speak(run_cluster(out, study, matrix, k, method, seed, targets))


@app.command(epilog="Example: relevance advise --dry-run")
@unfold
def advise(
    *,
    matrix: Annotated[
        str | None,
        typer.Option(help="Gains: pairwise, or a file of a matrix, of scores or of predictions."),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            help="A multi-task run that kept its model, for where tasks part. [default: a run of "
            "one epoch, trained for this]"
        ),
    ] = None,
    parts: Annotated[
        bool, typer.Option("--parts/--no-parts", help="Measure where groups part.")
    ] = True,
    dry_run: DryRunOption = False,
    workers: WorkerOptions,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Say what to share: which tasks together, which alone, and how deep; write groups.json."""
    output, plan = study.open(rows)
    chosen = workers.choose(None)
    from relevance.commands.advice_on_sharing import AdviceOptions, run_advise

    speak(run_advise(output, plan, chosen, AdviceOptions(matrix, run, parts), dry_run=dry_run))


@app.command(epilog="Example: relevance compare vocab pairwise")
def compare(
    first: Annotated[
        str,
        typer.Argument(metavar="A", help="A matrix: a measure, paper:table2, or a file."),
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="The one that A is judged by.")],
    k: Annotated[int, typer.Option("--k", help="The k of regret@k.")] = 3,
    targets: TargetsOption = "columns",
    out: OutOption = None,
) -> None:
    """Compare two relevance matrices: do they rank a task's partners alike, beyond chance?"""
    from relevance.commands.comparison_of_matrices import run_compare_matrices

    speak(run_compare_matrices(out, first, second, k, targets))


@app.command(epilog="Example: relevance agreement --matrix my-guess.csv")
def agreement(
    gains: Annotated[
        str | None,
        typer.Option(help="Gains to judge by: a file, or paper:table3. [default: pairwise]"),
    ] = None,
    matrix: Annotated[
        list[str] | None, typer.Option(help="A further matrix to judge; repeatable.")
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Judge each layer and head of measures as well.")
    ] = False,
    out: OutOption = None,
) -> None:
    """Say what each cheap measure is worth beside measured gains, and what it costs."""
    from relevance.commands.agreement_of_measures import run_agreement

    speak(run_agreement(out, gains, matrix or (), layers=layers))


@app.command("import", epilog="Example: relevance import scores.csv --out imported")
@unfold
def import_(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="A table (csv, tsv, jsonl, parquet): of scores with the columns target, partner "
            "(empty: alone), seed, score, and if known metric and n_dev; of dev predictions with "
            "target, partner, seed, row, label, prediction (or a folder of such tables); or a "
            "matrix: sources in the first column and targets in the first row, or source, target, "
            "value, and if known low and high.",
        ),
    ],
    *,
    options: ImportFlags,
    out: OutOption = None,
) -> None:
    """Take over results of any trainer: gains with intervals, p and q, as pairwise writes them."""
    from relevance.commands.import_results import run_import

    speak(run_import(out, path, options.choose()))


@app.command("export-scores", epilog="Example: relevance export-scores --to tables --predictions")
def export_scores(
    folder: Annotated[Path, typer.Option("--to", help="Folder for the tables.")],
    predictions: Annotated[
        bool, typer.Option("--predictions", help="Dev predictions too, a row per run and example.")
    ] = False,
    kind: Annotated[str, typer.Option("--format", help="csv or parquet.")] = "csv",
    out: OutOption = None,
) -> None:
    """Write the scores and the matrix behind measured gains as tables that import reads."""
    from relevance.commands.export_scores import run_export
    from relevance.imported.exported import ExportOptions

    speak(run_export(out, folder, ExportOptions(kind, predictions)))
