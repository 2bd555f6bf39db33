"""The second round of a sweep: more seeds, only where they may change a decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from analysis.gains.bootstrap import GainBootstrap, bootstrap_gains
from analysis.gains.seed_value import ExtraRuns, plan_refinement
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.jobs.workers import Workers
from hmnet.study.study import Study
from relevance.matrices.matrix import RelevanceMatrix
from relevance.pairwise.extra_seeds import add_refinement, choose_seeds
from relevance.pairwise.results import read_predictions
from relevance.pairwise.sweep import Measure, plan_sweep, run_sweep

Say: TypeAlias = Callable[[str], None]

BUDGET = 40
DRAWS = 400
SHOWN = 8


def refine_sweep(
    output: Output,
    study: Study,
    workers: Workers,
    budget: int = BUDGET,
    *,
    single_seeds: Sequence[int] | None = None,
    keep_models: bool = False,
    measure: Measure | None = None,
    say: Say = print,
) -> RelevanceMatrix:
    """Run further seeds of the runs that may change a decision; measure the sweep anew.

    What is missing of the first round runs first. The further seeds are recorded, and belong to
    the sweep from then on (`relevance.pairwise.extra_seeds`).

    Args:
        budget: most further runs.

    Raises:
        InputError: if no run of the first round has a second seed, or the budget is not positive.
    """
    if budget < 1:
        raise InputError(f"Parameter `budget` should be at least 1. Found `{budget}`.")

    def run() -> RelevanceMatrix:
        return run_sweep(
            output,
            study,
            workers,
            single_seeds=single_seeds,
            keep_models=keep_models,
            measure=measure,
        )

    _, plan = plan_sweep(output, study, single_seeds, keep_models=keep_models)
    if missing := sum(not output.runs.is_done(job.spec) for job in plan.jobs):
        say(f"the first round lacks {missing} runs")
        run()
    found = bootstrap_gains(read_predictions(plan, output.runs), DRAWS)
    extra = plan_extra(found, budget)
    for line in describe_extra(extra):
        say(line)
    if extra:
        add_refinement(output, choose_seeds(plan, {entry.tasks: entry.seeds for entry in extra}))
    return run()


def plan_extra(found: GainBootstrap, budget: int) -> list[ExtraRuns]:
    """Return the further runs that are worth most.

    Raises:
        InputError: if every run has one seed alone, so that seed noise is not known.
    """
    if not found.has_seed_noise.any():
        raise InputError(
            "Parameter `refine` should follow a first round with two seeds or more of some runs. "
            "Found one of each: how much seeds matter is not known; give --seeds 3."
        )
    return plan_refinement(found, budget)


def describe_extra(extra: Sequence[ExtraRuns]) -> Iterator[str]:
    """Yield which runs get more seeds, and what that is expected to save."""
    if not extra:
        yield "no further seed is likely to change a decision"
        return
    yield f"{sum(entry.seeds for entry in extra)} further runs where they may change a decision:"
    for entry in extra[:SHOWN]:
        seeds = "1 seed" if entry.seeds == 1 else f"{entry.seeds} seeds"
        yield (
            f"  {' with '.join(entry.tasks)}: {seeds}, expected to save "
            f"{100 * entry.value:.3f} points"
        )
    if len(extra) > SHOWN:
        yield f"  and {len(extra) - SHOWN} more"
