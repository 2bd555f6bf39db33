"""`relevance target`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hmnet.console.speaking import Shown, wrote
from hmnet.folder.freshness import Sources, deriving, note_runs, note_study
from hmnet.folder.outputs import Output
from hmnet.jobs.machine_precision import settle_precision
from hmnet.jobs.prepared import prepare_study
from hmnet.jobs.schedule import raise_failures
from hmnet.jobs.workers import Workers
from hmnet.study.study import Study
from relevance.commands.lines import describe_jobs
from relevance.pairwise.one_target import describe_ranking, rank_sources
from relevance.pairwise.sweep import train_sweep
from relevance.pairwise.target_choice import choose_tasks
from relevance.pairwise.target_plan import TargetPlan, plan_target


@dataclass(frozen=True)
class TargetOptions:
    """Which task, and what may help it.

    Attributes:
        target: its name.
        sources: names; None for the study's other tasks.
        single_seeds: seeds of the single runs; None for those of the pairs.
        sequential: whether the target is also trained after each source.
    """

    target: str
    sources: Sequence[str] | None = None
    single_seeds: Sequence[int] | None = None
    sequential: bool = False


def run_target(
    output: Output, study: Study, workers: Workers, options: TargetOptions, *, dry_run: bool = False
) -> Iterator[str]:
    """Run what is missing of a target's single and pair runs; rank its sources and decide.

    Raises:
        RunsFailedError: if runs failed, after the others are ranked and written.
    """
    target = options.target
    chosen = choose_tasks(study, target, options.sources)
    chosen = settle_precision(output.folder, chosen, workers.devices, workers.scheduler)
    prepared = prepare_study(chosen, output.data)
    plan = plan_target(
        prepared, target, study.seeds, options.single_seeds, sequential=options.sequential
    )
    if dry_run:
        yield plan.describe()
        yield from describe_jobs(prepared, plan.jobs, output.runs, workers)
        return
    summary = train_sweep(output, prepared, plan, workers)
    ranking = rank_sources(prepared, plan, output.runs)
    with deriving(_find_sources(output, chosen, plan, options)):
        ranking.write(output)
    *lines, decision = describe_ranking(ranking)
    yield Shown("\n".join(lines), target=target, sources=ranking.table)
    yield Shown(decision, decision=decision)
    yield wrote(output.one_target(target))
    raise_failures(summary)


def _find_sources(
    output: Output, chosen: Study, plan: TargetPlan, options: TargetOptions
) -> Sources:
    """Return what a ranking was made from; other tasks of the study are not among it."""
    settings = note_study(output, chosen)
    del settings["tasks"]
    named = "" if options.sources is None else f" --sources {','.join(options.sources)}"
    named += " --sequential" if options.sequential else ""
    done = [job.spec.run_id for job in plan.jobs if output.runs.is_done(job.spec)]
    return Sources(
        f"relevance target {options.target}{named}", settings, {}, note_runs(output, done)
    )
