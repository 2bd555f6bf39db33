"""The pairwise sweep from a study to its matrix: planned, estimated, run, measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import pandas as pd

from hmnet.folder.outputs import Output
from hmnet.jobs.cost import (
    estimate_work,
)
from hmnet.jobs.estimate import print_jobs
from hmnet.jobs.prepared import PreparedStudy, describe_study, prepare_study
from hmnet.jobs.progress_line import SweepProgress
from hmnet.jobs.schedule import raise_failures, run_jobs
from hmnet.jobs.workers import Workers
from hmnet.storage.tables import write_table
from hmnet.study.study import Study
from relevance.matrices.matrix import RelevanceMatrix
from relevance.pairwise.extra_seeds import extend_plan, read_refinement
from relevance.pairwise.gains import measure_gains
from relevance.pairwise.plan import PairwisePlan, plan_pairwise
from relevance.pairwise.results import read_results, tabulate_scores

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
