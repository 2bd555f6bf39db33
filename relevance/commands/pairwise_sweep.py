"""`relevance pairwise` and `relevance plan`."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from analysis.gains.bootstrap import bootstrap_gains
from analysis.scores.predictions import collect_sweep
from hmnet.console.speaking import Aside, Shown, wrote
from hmnet.folder.outputs import Output
from hmnet.jobs.machine_precision import settle_precision
from hmnet.jobs.prepared import PreparedStudy
from hmnet.jobs.schedule import raise_failures
from hmnet.jobs.workers import Workers
from hmnet.study.study import Study
from relevance.commands.lines import describe_jobs
from relevance.pairwise.extra_seeds import add_refinement, choose_seeds, is_carried_out
from relevance.pairwise.few_steps import describe_few_steps
from relevance.pairwise.measurement import (
    MEASURE_OPTIONS,
    MeasureOptions,
    SweepMeasurement,
    describe_measurement,
    measure_sweep,
)
from relevance.pairwise.plan import PairwisePlan
from relevance.pairwise.planning import describe_outlook, read_round
from relevance.pairwise.results import read_stored
from relevance.pairwise.second_round import (
    PLANNING_DRAWS,
    check_budget,
    describe_extra,
    plan_extra,
)
from relevance.pairwise.sweep import plan_sweep, train_sweep, write_measurement
from relevance.pairwise.sweep_text import format_matrix
from relevance.pairwise.word_baseline import describe_singles, read_baseline


@dataclass(frozen=True)
class PairwiseOptions:
    """What of a sweep its study does not say.

    Attributes:
        single_seeds: seeds of the single runs; None for those of the pairs.
        keep_models: whether trained models are kept.
        refine: most further runs of a second round; None for one round.
        measure: how the runs are measured.
    """

    single_seeds: Sequence[int] | None = None
    keep_models: bool = False
    refine: int | None = None
    measure: MeasureOptions = MEASURE_OPTIONS


PAIRWISE_OPTIONS = PairwiseOptions()


def run_pairwise(
    output: Output, study: Study, workers: Workers, options: PairwiseOptions = PAIRWISE_OPTIONS
) -> Iterator[str]:
    """Fine-tune every task and every pair; write the gains and what stands beside them.

    Raises:
        RunsFailedError: if runs failed or are gone, after the matrix of the others is written; an
            earlier one of more runs of this study is kept.
    """
    study = settle_precision(output.folder, study, workers.devices, workers.scheduler)
    if options.refine is not None:
        yield from _refine(output, study, workers, options, options.refine)
    measurement = yield from measure_round(output, study, workers, options)
    matrix = measurement.matrix
    yield Shown(format_matrix(matrix), measure=matrix.measure, matrix=matrix.table)
    yield wrote(output.pairwise)


def measure_round(
    output: Output, study: Study, workers: Workers, options: PairwiseOptions = PAIRWISE_OPTIONS
) -> Generator[str, None, SweepMeasurement]:
    """Run what is missing of a sweep, measure it, write it, and describe it."""
    prepared, plan = _plan(output, study, options)
    yield from map(Aside, describe_few_steps(prepared))
    summary = train_sweep(output, prepared, plan, workers)
    measurement = measure_sweep(prepared, plan, output.runs, options.measure)
    problems = list(write_measurement(output, study, measurement, plan, summary))
    yield from describe_measurement(measurement)
    yield from describe_singles(read_baseline(output, prepared), plan, output.runs)
    raise_failures(summary, *problems)
    return measurement


def _plan(
    output: Output, study: Study, options: PairwiseOptions
) -> tuple[PreparedStudy, PairwisePlan]:
    return plan_sweep(output, study, options.single_seeds, keep_models=options.keep_models)


def _refine(
    output: Output, study: Study, workers: Workers, options: PairwiseOptions, budget: int
) -> Iterator[str]:
    """Record further seeds of the runs that may change a decision.

    What is missing of the first round runs first. The further seeds belong to the sweep from then
    on (`relevance.pairwise.extra_seeds`). A command that was cut off after it had recorded them
    goes on with these, and plans no others.

    Raises:
        InputError: if no run of the first round has a second seed, or the budget is not positive.
    """
    check_budget(budget)
    if not is_carried_out(output):
        yield f"the further seeds in {output.refinement.name} are not measured yet: it goes on"
        return
    _, plan = _plan(output, study, options)
    if missing := sum(not output.runs.is_done(job.spec) for job in plan.jobs):
        yield f"the first round lacks {missing} runs"
        yield from measure_round(output, study, workers, options)
    found = bootstrap_gains(collect_sweep(read_stored(plan, output.runs)), PLANNING_DRAWS)
    extra = plan_extra(found, budget)
    yield from describe_extra(extra)
    if extra:
        add_refinement(output, choose_seeds(plan, {entry.tasks: entry.seeds for entry in extra}))


def estimate_pairwise(
    output: Output, study: Study, workers: Workers, options: PairwiseOptions = PAIRWISE_OPTIONS
) -> Iterator[str]:
    """Yield runs, tokens and the estimated time of a sweep, from a short timing; run nothing."""
    study = settle_precision(output.folder, study, workers.devices, workers.scheduler)
    yield from _estimate(output, study, workers, options)


def _estimate(
    output: Output, study: Study, workers: Workers, options: PairwiseOptions
) -> Iterator[str]:
    prepared, plan = _plan(output, study, options)
    yield f"{len(plan.singles)} single runs and {len(plan.pairs)} pair runs"
    yield from map(Aside, describe_few_steps(prepared))
    yield from describe_jobs(prepared, plan.jobs, output.runs, workers)


def plan_pairwise_study(
    output: Output,
    study: Study,
    workers: Workers,
    single_seeds: Sequence[int] | None = None,
    budget: int | None = None,
) -> Iterator[str]:
    """Yield what a sweep will cost and can detect; nothing is run but a short timing.

    Args:
        budget: number of runs to split; None for that of the plan.
    """
    options = PairwiseOptions(single_seeds)
    study = settle_precision(output.folder, study, workers.devices, workers.scheduler)
    yield from _estimate(output, study, workers, options)
    prepared, plan = _plan(output, study, options)
    yield from describe_outlook(prepared, plan, read_round(plan, output.runs), budget)
