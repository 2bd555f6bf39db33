"""`relevance`: how much each task helps or hurts each other one, and which to train together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from hmnet.console.options import (
    DryRunOption,
    LogOption,
    OutOption,
    RowOptions,
    SeedsOption,
    SingleSeedsOption,
    StoreOption,
    StudyFileOption,
    StudyOptions,
    WorkerOptions,
    WorkersOption,
    parse_seeds,
    split_names,
    unfold,
)
from hmnet.console.terminal import run_app

if TYPE_CHECKING:
    from relevance.imported.imported_results import ImportOptions

TargetsOption = Annotated[
    str, typer.Option("--targets", help="Where a wide table has its targets: columns or rows.")
]


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


app = typer.Typer(
    name="relevance",
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@dataclass(frozen=True)
class SeedOptions:
    """With which seeds single tasks and pairs are trained."""

    seeds: SeedsOption = None
    single_seeds: SingleSeedsOption = None


@dataclass(frozen=True)
class SweepOptions:
    """What is kept of a sweep's runs, what is left out of the means, and what is added."""

    keep_models: Annotated[
        bool, typer.Option("--keep-models", help="Keep every trained model.")
    ] = False
    drop_collapsed: Annotated[
        bool,
        typer.Option("--drop-collapsed", help="Leave runs that did not learn out of the means."),
    ] = False
    refine: Annotated[
        bool, typer.Option("--refine", help="Add seeds where they may change a decision.")
    ] = False
    budget: Annotated[int, typer.Option(help="Most runs that --refine adds.")] = 40


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


@app.command(epilog="Example: relevance init tickets --group customer")
@unfold
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Files of rows: csv, tsv, jsonl, parquet.")
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
    from relevance.commands.lines import ask_on_terminal
    from relevance.commands.start_study import StartOptions, run_init

    split = SplitOptions(options.dev_frac, options.seed, options.group)
    chosen = StartOptions(preset, options.label, options.skip, split)
    _print(run_init(folder, study, chosen, ask_on_terminal()))


@app.command(epilog="Example: relevance check --study study.toml")
@unfold
def check(*, rows: RowOptions, study: StudyOptions) -> None:
    """Validate a study and all of its rows, and show each task as it will be trained."""
    output, plan = study.open(rows)
    from relevance.commands.check_study import run_check

    _print(run_check(output, plan))


@app.command()
@unfold
def vocab(
    *,
    unit: Annotated[str, typer.Option(help="What is counted: wordpiece or word.")] = "wordpiece",
    equation: Annotated[int, typer.Option(help="1: share of the source; 2: of the target.")] = 2,
    tokenizer: Annotated[
        str | None, typer.Option(help="Tokenizer: a folder or a hub id. [default: the model's]")
    ] = None,
    study: StudyOptions,
) -> None:
    """Measure vocabulary co-occurrence (equations 1 and 2); write vocab.parquet."""
    output, plan = study.resolve()
    from relevance.commands.vocab import run_vocab

    _print(run_vocab(output, plan, tokenizer, unit, equation))


@app.command()
@unfold
def measure(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Measures (`relevance measures`).")
    ],
    *,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Take cheap measures of relevance; write <name>.parquet for each."""
    output, plan = study.open(rows)
    from relevance.commands.taking_of_measures import run_measures

    _print(run_measures(output, plan, names))


@app.command()
def measures() -> None:
    """List the measures of relevance: cost, direction, comparability, kinds of task, source."""
    from relevance.commands.taking_of_measures import describe_measures

    _print(describe_measures())


@app.command()
@unfold
def plan(
    *,
    budget: Annotated[
        int | None,
        typer.Option(help="Runs to split between single and pair seeds. [default: as planned]"),
    ] = None,
    seeds: SeedOptions,
    workers: WorkerOptions,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Say what the sweep will cost and which gains it can detect; after it, where to add seeds."""
    output, resolved = study.open(rows, seeds.seeds)
    chosen = workers.choose()
    singles = parse_seeds(seeds.single_seeds, "single_seeds")
    from relevance.commands.pairwise_sweep import plan_pairwise_study

    _print(plan_pairwise_study(output, resolved, chosen, singles, budget))


@app.command()
@unfold
def pairwise(
    *,
    log: LogOption = None,
    seeds: SeedOptions,
    dry_run: DryRunOption = False,
    sweep: SweepOptions,
    workers: WorkerOptions,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Fine-tune every task and every pair; write the gains (equations 3 and 4)."""
    output, plan = study.open(rows, seeds.seeds)
    chosen = workers.choose(log)
    singles = parse_seeds(seeds.single_seeds, "single_seeds")
    from relevance.commands.pairwise_sweep import PairwiseOptions, estimate_pairwise, run_pairwise
    from relevance.pairwise.measurement import MeasureOptions

    measure = MeasureOptions(sweep.drop_collapsed)
    budget = sweep.budget if sweep.refine else None
    options = PairwiseOptions(singles, sweep.keep_models, budget, measure)
    _print((estimate_pairwise if dry_run else run_pairwise)(output, plan, chosen, options))


@app.command(epilog="Example: relevance target rte --sources mnli,qnli,mrpc --seeds 3")
@unfold
def target(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task that is to gain.")],
    *,
    sources: Annotated[
        str | None, typer.Option(help="What may help it, by commas. [default: the study's others]")
    ] = None,
    seeds: SeedOptions,
    dry_run: DryRunOption = False,
    workers: WorkerOptions,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Say what to add to one task: its pairs alone are trained, ranked and decided on."""
    output, plan = study.open(rows, seeds.seeds)
    chosen = workers.choose()
    singles = parse_seeds(seeds.single_seeds, "single_seeds")
    from relevance.commands.ranking_of_sources import TargetOptions, run_target

    options = TargetOptions(task, split_names(sources), singles)
    _print(run_target(output, plan, chosen, options, dry_run=dry_run))


@app.command()
@unfold
def attention(
    *,
    pair: Annotated[
        list[str] | None, typer.Option(help="Two tasks, such as qqp,rte; repeatable.")
    ] = None,
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Every pair, beside its gain, layer by layer.")
    ] = False,
    seeds: SeedsOption = None,
    dry_run: DryRunOption = False,
    workers: WorkerOptions,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Compare attention maps of a task's own and its pair's model, head by head (Figures 5, 6)."""
    output, plan = study.open(rows, seeds)
    chosen = workers.choose()
    from relevance.commands.comparison_of_attention import run_attention

    lines = run_attention(output, plan, chosen, pair or (), all_pairs=all_pairs, dry_run=dry_run)
    _print(lines)


@app.command()
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

    _print(run_cluster(out, study, matrix, k, method, seed, targets))


@app.command()
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

    _print(run_compare_matrices(out, first, second, k, targets))


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

    _print(run_import(out, path, options.choose()))


@app.command("export-scores", epilog="Example: relevance export-scores --out tables --predictions")
def export_scores(
    folder: Annotated[Path, typer.Option("--out", help="Folder for the tables.")],
    predictions: Annotated[
        bool, typer.Option("--predictions", help="Dev predictions too, a row per run and example.")
    ] = False,
    kind: Annotated[str, typer.Option("--format", help="csv or parquet.")] = "csv",
    store: StoreOption = None,
) -> None:
    """Write the scores and the matrix behind measured gains as tables that import reads."""
    from relevance.commands.export_scores import run_export
    from relevance.imported.exported import ExportOptions

    _print(run_export(store, folder, ExportOptions(kind, predictions)))


@app.command()
@unfold
def tasks(
    *,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Describe each task's data: rows, labels, token lengths, metrics (Table 4); tasks.parquet."""
    output, plan = study.open(rows)
    from hmnet.folder.task_table import describe_tasks, write_tasks
    from hmnet.jobs.prepared import prepare_study

    typer.echo(describe_tasks(write_tasks(output, prepare_study(plan, output.data))))
    typer.echo(f"wrote {output.tasks}")


@app.command()
def status(out: OutOption = None) -> None:
    """Say what the output folder holds and how far its runs are; works while a sweep runs."""
    from hmnet.folder.outputs import open_output
    from hmnet.folder.status import describe_status
    from relevance.measures import list_stages

    output = open_output(out, create=False)
    _print(describe_status(output, list_stages(output)))


@app.command()
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
        typer.echo(f"to be done again by the next command: {', '.join(again)}")
    if problems:
        raise InputError(*(problem.text for problem in problems))
    for line in describe_doubts(output):
        typer.echo(line)
    typer.echo("every file is whole")


@app.command(epilog="Example: relevance report scores.csv --out imported")
def report(
    results: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RESULTS]",
            help="Results of another trainer to take over first, as `relevance import` does.",
        ),
    ] = None,
    focus: Annotated[
        str | None, typer.Option(help="Task that the influence chart shows first.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    out: OutOption = None,
) -> None:
    """Write one self-contained HTML report of every stage that has been run."""
    from hmnet.folder.outputs import open_output
    from reports import write_report

    if results is not None:
        from relevance.commands.import_results import run_import

        _print(run_import(out, results))
    path = write_report(open_output(out, create=False).folder, focus=focus)
    typer.echo(f"wrote {path}")
    if show:
        typer.launch(str(path))


@app.command()
def figures(
    folder: Annotated[Path, typer.Option("--out", help="Folder for the figures.")],
    kind: Annotated[str, typer.Option("--format", help="pdf, svg or png.")] = "pdf",
    width: Annotated[
        str | None, typer.Option(help="one-column or two-columns. [default: both]")
    ] = None,
    focus: Annotated[
        str | None, typer.Option(help="Tasks with an influence chart. [default: one]")
    ] = None,
    store: StoreOption = None,
) -> None:
    """Write each figure alone, for papers: fonts embedded, one and two columns wide."""
    from hmnet.folder.outputs import open_output
    from reports import write_figures

    source = open_output(store, create=False).folder
    paths = write_figures(
        source,
        folder,
        kind=kind,
        focus=tuple(split_names(focus) or ()),
        columns=None if width is None else [width],
    )
    typer.echo(f"wrote {len(paths)} files to {folder}")


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="Seed of texts, encoder and training.")] = 0,
    workers: WorkersOption = None,
    kinds: Annotated[
        str,
        typer.Option(
            help="plain: 13 tasks like the paper's; all: those of other kinds beside them, such as "
            "tags of words."
        ),
    ] = "plain",
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("demo-out"),
) -> None:
    """Run the whole chain on planted tasks, without a network, and write its report."""
    from relevance.demo import check_kinds, run_demo
    from reports import write_report

    _print(run_demo(out, seed, workers, all_kinds=check_kinds(kinds)))
    typer.echo(f"open {write_report(out)}")


def _print(lines: Iterable[str]) -> None:
    """Print what a command has to say, as it comes."""
    from relevance.commands.lines import speak

    speak(lines)


def main() -> None:
    """Entry point of `relevance`."""
    run_app(app)
