"""Commands that measure relevance: cheaply, and by training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from hmnet.console.application import make_part
from hmnet.console.options import (
    DryRunOption,
    LogOption,
    RowOptions,
    SeedsOption,
    SingleSeedsOption,
    StudyOptions,
    WorkerOptions,
    parse_seeds,
    split_names,
    unfold,
)
from hmnet.console.speaking import speak

if TYPE_CHECKING:
    from relevance.designs.block_plan import DesignOptions
    from relevance.designs.screening import ScreenOptions

app = make_part()


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
    design: Annotated[
        str | None,
        typer.Option(help="pairs or blocks: a balanced part of the runs; writes design.parquet."),
    ] = None
    block_size: Annotated[int, typer.Option(help="Tasks of a run of --design blocks.")] = 4
    screen: Annotated[
        bool,
        typer.Option("--screen", help="Pairs that may change the decision; writes screen.parquet."),
    ] = False
    budget: Annotated[
        int, typer.Option(help="Most runs that --refine adds, or runs of a --design or --screen.")
    ] = 40

    @property
    def is_part(self) -> bool:
        """Whether a part of the runs is asked for."""
        return self.design is not None or self.screen

    def choose_part(self) -> DesignOptions | ScreenOptions:
        """Return which part of the runs is done."""
        from relevance.designs.block_plan import DesignOptions
        from relevance.designs.screening import ScreenOptions

        if self.design is None:
            return ScreenOptions(self.budget)
        return DesignOptions(cast(Any, self.design), self.block_size, self.budget)

    def check(self) -> None:
        """Raise an `InputError` for options that exclude each other."""
        from hmnet.errors import InputError

        named = {"refine": self.refine, "design": self.design, "screen": self.screen}
        given = [name for name, value in named.items() if value]
        if len(given) > 1:
            raise InputError(
                f"Parameter `{given[1]}` should be given without `{given[0]}`. Found both."
            )
        if self.is_part and (self.keep_models or self.drop_collapsed):
            raise InputError(
                "Parameters `keep_models` and `drop_collapsed` should be given for a full sweep. "
                f"Found a `{given[0]}`; `relevance measure` keeps the single runs' models itself."
            )


@app.command(epilog="Example: relevance vocab --unit word")
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

    speak(run_vocab(output, plan, tokenizer, unit, equation))


@app.command(epilog="Example: relevance measure jensen-shannon label-names")
@unfold
def measure(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Measures (`relevance measures`).")
    ],
    *,
    workers: WorkerOptions,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Take cheap measures, of rows or of single runs; write <name>.parquet for each."""
    output, plan = study.open(rows)
    chosen = workers.choose()
    from relevance.commands.taking_of_measures import run_measures

    speak(run_measures(output, plan, names, chosen))


@app.command(epilog="Example: relevance measures")
def measures() -> None:
    """List the measures of relevance: cost, direction, comparability, kinds of task, source."""
    from relevance.commands.taking_of_measures import describe_measures

    speak(describe_measures())


@app.command(epilog="Example: relevance plan --seeds 3")
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

    speak(plan_pairwise_study(output, resolved, chosen, singles, budget))


@app.command(epilog="Example: relevance pairwise --seeds 3 --dry-run")
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

    sweep.check()
    if sweep.is_part:
        from relevance.commands.designed_sweep import run_part

        part = sweep.choose_part()
        speak(run_part(output, plan, chosen, part, singles, dry_run=dry_run))
        return
    measure = MeasureOptions(sweep.drop_collapsed)
    budget = sweep.budget if sweep.refine else None
    options = PairwiseOptions(singles, sweep.keep_models, budget, measure)
    speak((estimate_pairwise if dry_run else run_pairwise)(output, plan, chosen, options))


@dataclass(frozen=True)
class HelpFlags:
    """What may help the target of `relevance target`, and how."""

    sources: Annotated[
        str | None, typer.Option(help="What may help it, by commas. [default: the study's others]")
    ] = None
    sequential: Annotated[
        bool,
        typer.Option("--sequential", help="Also train on each source first, then on the target."),
    ] = False


@app.command(epilog="Example: relevance target rte --sources mnli,qnli,mrpc --seeds 3")
@unfold
def target(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task that is to gain.")],
    *,
    helped: HelpFlags,
    seeds: SeedOptions,
    dry_run: DryRunOption = False,
    workers: WorkerOptions,
    rows: RowOptions,
    study: StudyOptions,
) -> None:
    """Say what to add to one task: its pairs alone are trained, ranked and decided on."""
    sources, singles = split_names(helped.sources), parse_seeds(seeds.single_seeds, "single_seeds")
    from relevance.pairwise.target_choice import choose_tasks

    choose_tasks(study.resolve(rows, seeds.seeds)[1], task, sources)  # a wrong name ends here
    output, plan = study.open(rows, seeds.seeds)
    chosen = workers.choose()
    from relevance.commands.ranking_of_sources import TargetOptions, run_target

    options = TargetOptions(task, sources, singles, helped.sequential)
    speak(run_target(output, plan, chosen, options, dry_run=dry_run))


@app.command(epilog="Example: relevance attention --pair qqp,rte")
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
    speak(lines)
