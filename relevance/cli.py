"""`relevance`: how much each task helps or hurts each other one, and which to train together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

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

app = typer.Typer(
    name="relevance",
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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
    output, plan = study.open()
    from relevance.vocabulary.study_vocabulary import measure_study_vocabulary

    matrix = measure_study_vocabulary(plan, tokenizer, unit, equation)
    matrix.write(output.vocab)
    typer.echo(matrix.to_frame().mul(100).round(2).to_string())
    typer.echo(f"wrote {output.vocab}")


@app.command()
@unfold
def plan(
    *,
    budget: Annotated[
        int | None,
        typer.Option(help="Runs to split between single and pair seeds. [default: as planned]"),
    ] = None,
    seeds: SeedsOption = None,
    single_seeds: SingleSeedsOption = None,
    workers: WorkerOptions,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Say what the sweep will cost and which gains it can detect; after it, where to add seeds."""
    output, resolved = study.open(rows, seeds)
    chosen = workers.choose()
    singles = parse_seeds(single_seeds, "single_seeds")
    from relevance.pairwise.planning import print_study_plan

    print_study_plan(output, resolved, chosen, single_seeds=singles, budget=budget, say=typer.echo)


@app.command()
@unfold
def pairwise(
    *,
    log: LogOption = None,
    seeds: SeedsOption = None,
    single_seeds: SingleSeedsOption = None,
    dry_run: DryRunOption = False,
    keep_models: Annotated[
        bool, typer.Option("--keep-models", help="Keep every trained model.")
    ] = False,
    drop_collapsed: Annotated[
        bool,
        typer.Option("--drop-collapsed", help="Leave runs that did not learn out of the means."),
    ] = False,
    refine: Annotated[
        bool, typer.Option("--refine", help="Add seeds where they may change a decision.")
    ] = False,
    budget: Annotated[int, typer.Option(help="Most runs that --refine adds.")] = 40,
    workers: WorkerOptions,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Fine-tune every task and every pair; write the gains (equations 3 and 4)."""
    output, plan = study.open(rows, seeds)
    chosen = workers.choose(log)
    singles = parse_seeds(single_seeds, "single_seeds")
    from relevance.pairwise.second_round import refine_sweep
    from relevance.pairwise.sweep import print_plan, run_sweep
    from relevance.pairwise.text import format_matrix
    from relevance.pairwise.uncertainty import make_measure

    if dry_run:
        print_plan(output, plan, chosen, single_seeds=singles, keep_models=keep_models)
        return
    options: dict[str, Any] = {
        "single_seeds": singles,
        "keep_models": keep_models,
        "measure": make_measure(typer.echo, drop_collapsed=drop_collapsed),
    }
    if refine:
        matrix = refine_sweep(output, plan, chosen, budget, say=typer.echo, **options)
    else:
        matrix = run_sweep(output, plan, chosen, **options)
    typer.echo(format_matrix(matrix))
    typer.echo(f"wrote {output.pairwise}")


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
    from hmnet.jobs.prepared import prepare_study
    from relevance.attention.plan import print_attention_plan
    from relevance.attention.study import (
        describe_layers,
        describe_pairs,
        list_all_pairs,
        measure_all_pairs,
        measure_pairs,
        parse_pairs,
    )

    pairs = parse_pairs(plan.tasks, pair or []) if pair or not all_pairs else []
    prepared = prepare_study(plan, output.data)
    if dry_run:
        asked = [*pairs, *(list_all_pairs(prepared) if all_pairs else [])]
        print_attention_plan(output, prepared, asked, chosen, typer.echo)
        return
    if pairs:
        typer.echo(describe_pairs(measure_pairs(output, prepared, pairs, chosen)))
    if all_pairs:
        typer.echo(describe_layers(measure_all_pairs(output, prepared, chosen)))
    typer.echo(f"wrote {output.attention}")


@app.command()
def cluster(
    k: Annotated[str, typer.Option("--k", help="Number of groups, or auto.")] = "3",
    matrix: Annotated[
        str | None,
        typer.Option(
            help="vocab, pairwise, manual, paper:table2, paper:table3, or a parquet or csv file. "
            "[default: pairwise, else vocab]"
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(help="kmeans (the paper's), exact, exact-lower-bound or spectral.")
    ] = "kmeans",
    seed: Annotated[int, typer.Option(help="Seed of the initialisations.")] = 0,
    study: StudyFileOption = None,
    out: OutOption = None,
) -> None:
    """Group the tasks by a relevance matrix; write groups.json and how stable the groups are."""
    from relevance.groups.grouping import group_with_doubt, parse_k
    from relevance.groups.published import compare_with_published

    groups, written = group_with_doubt(out, study, matrix, parse_k(k), method, seed, typer.echo)
    for name, members in groups.groups.items():
        typer.echo(f"{name}: {', '.join(members)}")
    if published := compare_with_published(groups):
        shown = ", ".join(f"{index:.2f} with {name}" for name, index in published.items())
        typer.echo(f"adjusted Rand index of agreement with the paper's groups: {shown}")
    typer.echo(f"wrote {' and '.join(str(path) for path in written)}")


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A matrix: a file, vocab, pairwise...")],
    second: Annotated[str, typer.Argument(metavar="B", help="The one that A is judged by.")],
    k: Annotated[int, typer.Option("--k", help="The k of regret@k.")] = 3,
    out: OutOption = None,
) -> None:
    """Compare two relevance matrices: do they rank a task's partners alike, beyond chance?"""
    from hmnet.folder.outputs import Output, find_output_folder
    from relevance.matrices.comparison import compare_sources, describe_comparison

    found, names = compare_sources(Output(find_output_folder(out)), first, second, k)
    for line in describe_comparison(found, names):
        typer.echo(line)


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

    for line in describe_status(open_output(out, create=False)):
        typer.echo(line)


@app.command()
def verify(
    redo: Annotated[
        bool, typer.Option("--redo", help="Have runs with damaged files done again.")
    ] = False,
    out: OutOption = None,
) -> None:
    """Check every file of the output folder; the exit code is not zero if one is damaged."""
    from hmnet.errors import InputError
    from hmnet.folder.outputs import open_output
    from hmnet.folder.verify import redo as redo_runs
    from hmnet.folder.verify import verify as find_problems

    problems = list(find_problems(open_output(out, create=False)))
    if redo and (again := redo_runs(problems)):
        typer.echo(f"to be done again by the next command: {', '.join(again)}")
    if problems:
        raise InputError(*(problem.text for problem in problems))
    typer.echo("every file is whole")


@app.command()
def report(
    focus: Annotated[
        str | None, typer.Option(help="Task that the influence chart shows first.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    out: OutOption = None,
) -> None:
    """Write one self-contained HTML report of every stage that has been run."""
    from hmnet.folder.outputs import open_output
    from reports.html import write_report

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
    from reports.export import write_figures

    source = open_output(store, create=False).folder
    paths = write_figures(
        source,
        folder,
        kind=cast(Any, kind),
        focus=tuple(split_names(focus) or ()),
        columns=None if width is None else [width],
    )
    typer.echo(f"wrote {len(paths)} files to {folder}")


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="Seed of texts, encoder and training.")] = 0,
    workers: WorkersOption = None,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("demo-out"),
) -> None:
    """Run the whole chain on planted tasks, without a network, and write its report."""
    from functools import partial

    from relevance.demo import run_demo
    from relevance.groups.grouping import group_measured
    from relevance.pairwise.uncertainty import make_measure
    from reports.html import write_report

    group = partial(group_measured, say=typer.echo)
    output = run_demo(out, seed, workers, typer.echo, make_measure(typer.echo), group)
    typer.echo(f"open {write_report(output.folder)}")


def main() -> None:
    """Entry point of `relevance`."""
    run_app(app)
