"""`relevance pairwise --design` and `--screen`: gains from a part of the runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.arrays import Floats
from analysis.guesses.balanced_blocks import draw_blocks
from analysis.guesses.gain_model import PARTS, GainModel
from hmnet.console.speaking import Shown, wrote
from hmnet.folder.freshness import Sources, deriving, note_runs, note_study
from hmnet.folder.outputs import Output
from hmnet.jobs.cost import estimate_work
from hmnet.jobs.machine_precision import settle_precision
from hmnet.jobs.prepared import PreparedStudy, prepare_study
from hmnet.jobs.progress_line import SweepProgress
from hmnet.jobs.schedule import SweepSummary, raise_failures, run_jobs
from hmnet.jobs.workers import Workers
from hmnet.study.study import Study
from relevance.commands.lines import describe_jobs
from relevance.designs.block_observations import Observed, observe_runs
from relevance.designs.block_plan import (
    BlockPlan,
    DesignOptions,
    add_blocks,
    plan_design,
    plan_singles,
)
from relevance.designs.cheap_measures import find_measures, stack_measures
from relevance.designs.design_matrix import (
    describe_additivity,
    describe_verdict,
    group_names,
    judge_model,
    make_matrix,
)
from relevance.designs.screening import STABLE, ScreenOptions, choose_pairs
from relevance.measures.measure import COST
from relevance.measures.measure_inputs import MeasureInputs
from relevance.pairwise.second_round import check_budget
from relevance.pairwise.sweep_text import format_matrix


def run_part(
    output: Output,
    study: Study,
    workers: Workers,
    options: DesignOptions | ScreenOptions,
    single_seeds: Sequence[int] | None = None,
    *,
    dry_run: bool = False,
) -> Iterator[str]:
    """Run a design or a screen."""
    if isinstance(options, DesignOptions):
        return run_design(output, study, workers, options, single_seeds, dry_run=dry_run)
    return run_screen(output, study, workers, options, single_seeds, dry_run=dry_run)


def run_design(
    output: Output,
    study: Study,
    workers: Workers,
    options: DesignOptions,
    single_seeds: Sequence[int] | None = None,
    *,
    dry_run: bool = False,
) -> Iterator[str]:
    """Run the single runs and a design's balanced runs; write design.parquet.

    Raises:
        RunsFailedError: if runs failed, after the matrix of the others is written.
    """
    check_budget(options.budget)
    study = settle_precision(output.folder, study, workers.devices, workers.scheduler)
    prepared = prepare_study(study, output.data)
    plan = plan_design(prepared, options, single_seeds)
    yield _describe_plan(plan, options.size)
    if dry_run:
        yield from describe_jobs(prepared, plan.jobs, output.runs, workers)
        return
    summary = _train(output, prepared, plan, workers)
    observed = observe_runs(plan, output.runs)
    model = GainModel(len(plan.tasks), observed.observations, observed.shared)
    yield from describe_additivity(model.test_additivity())
    command = f"relevance pairwise --design {options.kind}"
    yield from _write(
        output, _find_sources(output, study, observed, command), plan, model, "design"
    )
    raise_failures(summary)


def run_screen(
    output: Output,
    study: Study,
    workers: Workers,
    options: ScreenOptions,
    single_seeds: Sequence[int] | None = None,
    *,
    dry_run: bool = False,
) -> Iterator[str]:
    """Run a balanced sample of pairs, then what may change the decision; write screen.parquet.

    Raises:
        RunsFailedError: if runs failed; pairs after these are not run.
    """
    check_budget(options.budget)
    study = settle_precision(output.folder, study, workers.devices, workers.scheduler)
    prepared = prepare_study(study, output.data)
    plan = plan_singles(prepared, single_seeds)
    size = len(plan.tasks)
    most = min(options.budget, size * (size - 1) // 2)
    first = min(options.count_first(size), most)
    plan = add_blocks(plan, prepared, draw_blocks(size, 2, first))
    yield _describe_plan(plan, 2)
    if dry_run:
        yield f"then at most {most - first} pairs, chosen by what these show"
        yield from describe_jobs(prepared, plan.jobs, output.runs, workers)
        return
    matrices = find_measures(MeasureInputs(study, output, workers))
    yield f"cheap measures that it learns from: {', '.join(matrices)}"
    measures = stack_measures(matrices, plan.tasks)
    rounds = _Rounds(output, prepared, workers, measures)
    observed, model = rounds.look(plan)
    while len(plan.blocks) < most:
        verdict = judge_model(model)
        if verdict.missed < STABLE:
            yield f"the decision is stable after {len(plan.blocks)} pairs"
            break
        count = min(options.step, most - len(plan.blocks))
        chosen = choose_pairs(model, verdict.decision, plan.blocks, count)
        if not chosen:
            yield f"no further pair is likely to change the decision, after {len(plan.blocks)}"
            break
        named = ", ".join(f"{plan.tasks[one]} with {plan.tasks[other]}" for one, other in chosen)
        yield f"{100 * verdict.missed:.2f} points may be missed; next: {named}"
        plan = add_blocks(plan, prepared, chosen)
        observed, model = rounds.look(plan)
    sources = _find_sources(output, study, observed, "relevance pairwise --screen")
    yield from _write(output, sources, plan, model, "screen")


@dataclass(frozen=True, eq=False)
class _Rounds:
    """What a screen does between two looks."""

    output: Output
    prepared: PreparedStudy
    workers: Workers
    measures: Floats | None

    def look(self, plan: BlockPlan) -> tuple[Observed, GainModel]:
        """Run what is missing of a plan, and fit all gains to what it shows."""
        raise_failures(_train(self.output, self.prepared, plan, self.workers))
        observed = observe_runs(plan, self.output.runs)
        model = GainModel(len(plan.tasks), observed.observations, observed.shared, self.measures)
        return observed, model


def _train(
    output: Output, prepared: PreparedStudy, plan: BlockPlan, workers: Workers
) -> SweepSummary:
    return run_jobs(
        plan.jobs,
        output.runs,
        workers,
        cost=lambda job: estimate_work(job, prepared.data),
        watcher=SweepProgress(output.progress),
    )


def _describe_plan(plan: BlockPlan, size: int) -> str:
    return (
        f"{len(plan.singles)} single runs and {len(plan.blocks)} runs of {size} tasks: "
        f"{100 * plan.cost_frac:.0f} % of the full sweep's passes over tasks"
    )


def _find_sources(output: Output, study: Study, observed: Observed, command: str) -> Sources:
    return Sources(command, note_study(output, study), runs=note_runs(output, observed.runs))


def _write(
    output: Output,
    sources: Sources,
    plan: BlockPlan,
    model: GainModel,
    name: Literal["design", "screen"],
) -> Iterator[str]:
    """Write a matrix, and yield what it says."""
    provenance = {
        COST: plan.cost_frac,
        "blocks": [[plan.tasks[task] for task in block] for block in plan.blocks],
        "parts": dict(zip(PARTS, model.variances.tolist(), strict=True)),
    }
    matrix = make_matrix(model, plan.tasks, name, provenance, knows_all=name == "screen")
    with deriving(sources):
        matrix.write(output.matrix(name))
    yield Shown(format_matrix(matrix), matrix=matrix.table)
    verdict = judge_model(model)
    groups = group_names(verdict.decision.chosen.labels, plan.tasks)
    told = "\n".join(describe_verdict(verdict, plan.tasks))
    yield Shown(told, groups=groups, missed=verdict.missed, cost_frac=plan.cost_frac)
    yield wrote(output.matrix(name))
