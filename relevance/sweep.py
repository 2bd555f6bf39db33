"""The pairwise sweep from a study to its matrix: planned, estimated, run, measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import pandas as pd
from joblib import Parallel, delayed

from hmnet.cost import choose_timed, count_tokens, estimate_seconds, estimate_work, measure_speed
from hmnet.job import Job, Machine
from hmnet.jobs import raise_failures, run_jobs
from hmnet.outputs import Output
from hmnet.prepared import PreparedStudy, prepare_study
from hmnet.progress import SweepProgress, format_seconds
from hmnet.runs import RunStore
from hmnet.storage import write_table
from hmnet.study import Study
from hmnet.workers import Workers
from relevance.matrix import RelevanceMatrix
from relevance.pairwise import (
    PairwisePlan,
    describe_study,
    measure_gains,
    plan_pairwise,
    read_results,
    tabulate_scores,
)
from relevance.refined import extend_plan, read_refinement

SCORES_SCHEMA = "pairwise-scores/1"

Measure: TypeAlias = Callable[
    [PreparedStudy, PairwisePlan, Output], tuple[RelevanceMatrix, pd.DataFrame]
]
"""From a sweep's finished runs to its matrix and the scores behind it."""


def plan_sweep(
    output: Output,
    study: Study,
    single_seeds: Sequence[int] | None = None,
    *,
    keep_models: bool = False,
) -> tuple[PreparedStudy, PairwisePlan]:
    """Tokenise the study's rows and plan its single and pair runs, with further seeds of some."""
    prepared = prepare_study(study, output.data)
    plan = plan_pairwise(prepared, study.seeds, single_seeds, keep_models=keep_models)
    refinement = read_refinement(output)
    return prepared, extend_plan(plan, prepared, refinement, keep_models=keep_models)


def run_sweep(
    output: Output,
    study: Study,
    workers: Workers,
    *,
    single_seeds: Sequence[int] | None = None,
    keep_models: bool = False,
    measure: Measure | None = None,
) -> RelevanceMatrix:
    """Run what is missing of the sweep; write the matrix and the scores behind it.

    Args:
        measure: how the matrix is computed; None for the values alone, `measure_sweep`.

    Raises:
        RunsFailedError: if runs failed, after the matrix of the others is written.
    """
    prepared, plan = plan_sweep(output, study, single_seeds, keep_models=keep_models)
    summary = run_jobs(
        plan.jobs,
        output.runs,
        workers,
        cost=lambda job: estimate_work(job, prepared.data),
        watcher=SweepProgress(output.progress),
    )
    matrix, scores = (measure or measure_sweep)(prepared, plan, output)
    matrix.write(output.pairwise)
    write_table(output.scores, scores, SCORES_SCHEMA, describe_study(prepared))
    raise_failures(summary)
    return matrix


def measure_sweep(
    prepared: PreparedStudy, plan: PairwisePlan, output: Output
) -> tuple[RelevanceMatrix, pd.DataFrame]:
    """Return the matrix of gains and the table of scores from the runs that are done."""
    scores = tabulate_scores(plan, read_results(plan, output.runs))
    return measure_gains(scores, prepared), scores


def print_plan(
    output: Output,
    study: Study,
    workers: Workers,
    *,
    single_seeds: Sequence[int] | None = None,
    keep_models: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Print runs, tokens and the estimated time of a sweep, from a short timing; run nothing."""
    prepared, plan = plan_sweep(output, study, single_seeds, keep_models=keep_models)
    say(f"{len(plan.singles)} single runs and {len(plan.pairs)} pair runs")
    print_jobs(prepared, plan.jobs, output.runs, workers, say)


def print_jobs(
    prepared: PreparedStudy,
    jobs: Sequence[Job],
    store: RunStore,
    workers: Workers,
    say: Callable[[str], None] = print,
) -> None:
    """Print how many runs are done, and what the others will take, from a short timing."""
    by_id = {job.spec.run_id: job for job in jobs}
    missing = [
        job for job in by_id.values() if not store.is_done(job.spec, with_model=job.keep_model)
    ]
    say(f"{len(by_id) - len(missing)} already done, {len(missing)} to do")
    if missing:
        _print_estimate(prepared, missing, workers, say)


def _print_estimate(
    prepared: PreparedStudy, missing: Sequence[Job], workers: Workers, say: Callable[[str], None]
) -> None:
    train = sum(
        tokens for job in missing for tokens, _ in count_tokens(job, prepared.data).values()
    )
    say(f"{train / 1e6:,.1f} M training tokens")
    workers = workers.fill(missing)
    seconds = estimate_sweep(prepared, missing, workers)
    say(
        f"about {format_seconds(seconds)} on {workers.count} workers ({', '.join(workers.devices)})"
        + (", timed on the CPU of this machine, not on the cluster" if workers.scheduler else "")
    )


def estimate_sweep(prepared: PreparedStudy, jobs: Sequence[Job], workers: Workers) -> float:
    """Return the seconds that jobs will take, from a short timing on all workers at once.

    Workers of a cluster are taken for as fast as this machine's cores.
    """
    timed = [prepared.single(name, prepared.study.seeds[0]) for name in choose_timed(prepared.data)]
    here = workers.here()
    parallel = Parallel(n_jobs=here.count, inner_max_num_threads=here.threads)
    speeds = parallel(
        delayed(measure_speed)(timed, Machine(device, here.threads)) for device in here.devices
    )
    per_worker = [
        sum(estimate_seconds(job, prepared.data, speed) for job in jobs) for speed in speeds
    ]
    return sum(per_worker) / len(per_worker) / workers.count
