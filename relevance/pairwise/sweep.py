"""The pairwise sweep from a study to its matrix: planned, run, measured.

measurement = run_sweep(output, study, Workers.choose())
measurement.matrix
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from hmnet.errors import InputError
from hmnet.folder.freshness import Sources, deriving, note_files, note_runs, note_study
from hmnet.folder.outputs import Output, open_output
from hmnet.jobs.cost import estimate_work
from hmnet.jobs.machine_precision import settle_precision
from hmnet.jobs.prepared import PreparedStudy, prepare_study
from hmnet.jobs.progress_line import SweepProgress
from hmnet.jobs.schedule import SweepSummary, raise_failures, run_jobs
from hmnet.jobs.workers import Workers
from hmnet.storage.digests import canonical_json
from hmnet.storage.tables import read_table
from hmnet.study.study import Study, write_study
from relevance.matrices.matrix import RelevanceMatrix
from relevance.pairwise.extra_seeds import extend_plan, read_refinement
from relevance.pairwise.measurement import (
    MEASURE_OPTIONS,
    MeasureOptions,
    SweepMeasurement,
    measure_sweep,
)
from relevance.pairwise.plan import PairwisePlan, plan_pairwise
from relevance.pairwise.sweep_record_format import SCORES
from relevance.pairwise.target_plan import TargetPlan
from relevance.pairwise.word_baseline import read_baseline


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
    output: Output, prepared: PreparedStudy, plan: PairwisePlan | TargetPlan, workers: Workers
) -> SweepSummary:
    """Run what is missing of a planned sweep; its progress goes to standard error.

    Single runs start first, so that one that does not beat words alone is told of early.
    """
    singles = {job.spec.run_id: job.spec for job in plan.singles.values()}
    store = output.runs
    baseline = read_baseline(output, prepared)

    def tell(run_id: str) -> str:
        if run_id not in singles:
            return ""
        spec = singles[run_id]
        (task,) = spec.names
        return baseline.describe(task, store.result(spec).primary[task], spec.seed)

    return run_jobs(
        plan.jobs,
        store,
        workers,
        cost=lambda job: estimate_work(job, prepared.data),
        watcher=SweepProgress(output.progress, tell=tell),
        first=singles,
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
        RunsFailedError: if runs failed or are gone, after the matrix of the others is written; an
            earlier matrix of more runs of this study is kept.
    """
    prepared, plan = plan_sweep(output, study, single_seeds, keep_models=keep_models)
    summary = train_sweep(output, prepared, plan, workers)
    measurement = measure_sweep(prepared, plan, output.runs, options)
    raise_failures(summary, *write_measurement(output, prepared.study, measurement, plan, summary))
    return measurement


def measure_pairwise(
    study: Study,
    out: str | os.PathLike[str] | None = None,
    *,
    workers: Workers | None = None,
    single_seeds: Sequence[int] | None = None,
    options: MeasureOptions = MEASURE_OPTIONS,
) -> RelevanceMatrix:
    """Train what is missing of a study's single and pair runs; return the gains.

    Args:
        out: the output folder; None for the one of the commands. It records the study, so that
            `relevance cluster`, `report` and others go on from there.
        workers: where runs are done; None for one process per core.
        single_seeds: seeds of the single runs; None for the study's.

    Raises:
        RunsFailedError: as `run_sweep`.
    """
    output = open_output(None if out is None else Path(out))
    workers = workers or Workers.choose()
    study = settle_precision(output.folder, study, workers.devices, workers.scheduler)
    if not output.study_file.exists():
        write_study(output.study_file, study)
    measured = run_sweep(output, study, workers, single_seeds=single_seeds, options=options)
    return measured.matrix


def write_measurement(
    output: Output,
    study: Study,
    measurement: SweepMeasurement,
    plan: PairwisePlan,
    summary: SweepSummary,
) -> Iterator[str]:
    """Write what a sweep's runs show, unless the folder holds that of more runs of this study.

    Yields:
        A sentence for what is not as planned.
    """
    missing = len(plan.jobs) - measurement.scores["run"].nunique()
    is_kept = missing > 0 and _holds_more(output, measurement)
    if not is_kept:
        with deriving(_find_sources(output, study, measurement)):
            measurement.write(output)
    if missing > len(summary.failed):
        yield (
            f"{missing - len(summary.failed)} of {len(plan.jobs)} planned runs are gone, as if "
            "another command had discarded them; the same command does them again."
        )
    if is_kept:
        yield f"{output.pairwise} stays as it was: it is of more runs of this study."


def _find_sources(output: Output, study: Study, measurement: SweepMeasurement) -> Sources:
    return Sources(
        "relevance pairwise",
        note_study(output, study),
        note_files(output, output.refinement),
        note_runs(output, measurement.scores["run"].unique()),
    )


def _holds_more(output: Output, measurement: SweepMeasurement) -> bool:
    """Tell whether the folder's matrix is of this study and of more runs."""
    try:
        scores, study = read_table(output.scores, SCORES.schema)
        RelevanceMatrix.read(output.pairwise)
    except InputError:
        return False
    is_same = canonical_json(study) == canonical_json(dict(measurement.study))
    return is_same and len(scores) > len(measurement.scores)
