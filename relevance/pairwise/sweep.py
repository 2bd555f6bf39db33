"""The pairwise sweep from a study to its matrix: planned, run, measured.

measurement = run_sweep(output, study, Workers.choose())
measurement.matrix
"""

from __future__ import annotations

from collections.abc import Sequence

from hmnet.folder.outputs import Output
from hmnet.jobs.cost import estimate_work
from hmnet.jobs.prepared import PreparedStudy, prepare_study
from hmnet.jobs.progress_line import SweepProgress
from hmnet.jobs.schedule import Summary, raise_failures, run_jobs
from hmnet.jobs.workers import Workers
from hmnet.study.study import Study
from relevance.pairwise.extra_seeds import extend_plan, read_refinement
from relevance.pairwise.measurement import (
    MEASURE_OPTIONS,
    MeasureOptions,
    SweepMeasurement,
    measure_sweep,
)
from relevance.pairwise.plan import PairwisePlan, plan_pairwise


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


def train_sweep(
    output: Output, prepared: PreparedStudy, plan: PairwisePlan, workers: Workers
) -> Summary:
    """Run what is missing of a planned sweep; its progress goes to standard error."""
    return run_jobs(
        plan.jobs,
        output.runs,
        workers,
        cost=lambda job: estimate_work(job, prepared.data),
        watcher=SweepProgress(output.progress),
    )


def run_sweep(
    output: Output,
    study: Study,
    workers: Workers,
    *,
    single_seeds: Sequence[int] | None = None,
    keep_models: bool = False,
    options: MeasureOptions = MEASURE_OPTIONS,
) -> SweepMeasurement:
    """Run what is missing of the sweep, measure it, and write what was measured.

    Raises:
        RunsFailedError: if runs failed, after the matrix of the others is written.
    """
    prepared, plan = plan_sweep(output, study, single_seeds, keep_models=keep_models)
    summary = train_sweep(output, prepared, plan, workers)
    measurement = measure_sweep(prepared, plan, output.runs, options)
    measurement.write(output)
    raise_failures(summary)
    return measurement
