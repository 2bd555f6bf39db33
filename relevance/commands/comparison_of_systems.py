"""`hmnet compare` and `hmnet sweep`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hmnet.console.speaking import Aside, Shown, wrote
from hmnet.folder.outputs import Output
from hmnet.jobs.machine_precision import settle_precision
from hmnet.jobs.prepared import prepare_study
from hmnet.jobs.workers import Workers
from hmnet.runs.mixture import describe_versions
from hmnet.study.metrics import is_error
from hmnet.study.study import Study
from relevance.commands.lines import describe_jobs
from relevance.groups.at_hand import Groupings
from relevance.systems.best_epochs import choose_all_epochs
from relevance.systems.budget import describe_budget
from relevance.systems.choose import SystemOptions, choose_groupings, choose_systems
from relevance.systems.compare import JUDGING, Judging, compare_systems
from relevance.systems.comparison_text import describe_systems
from relevance.systems.parameters import describe_counts
from relevance.systems.sweeps import (
    check_hierarchy_sweep,
    describe_hierarchy_sweep,
    plan_hierarchy_sweep,
    run_hierarchy_sweep,
)
from relevance.systems.systems import plan_comparison


def run_compare_systems(
    output: Output,
    study: Study,
    workers: Workers,
    options: SystemOptions,
    judging: Judging = JUDGING,
    *,
    dry_run: bool = False,
) -> Iterator[str]:
    """Train all systems with the same budget and compare them; write `compare.parquet`."""
    study = settle_precision(output.folder, study, workers.devices, workers.scheduler)
    prepared = prepare_study(study, output.data)
    systems, notes = choose_systems(output, prepared, options)
    yield from map(Aside, notes)
    if dry_run:
        yield describe_counts(prepared, systems)
        yield describe_budget(prepared, systems)
        jobs = plan_comparison(prepared, systems)
        yield from describe_jobs(prepared, jobs, output.runs, workers)
        return
    table = compare_systems(output, prepared, systems, workers, judging)
    systems = choose_all_epochs(prepared, systems, output.runs)
    specs = [job.spec for job in plan_comparison(prepared, systems)]
    done = [output.runs.result(spec) for spec in specs if output.runs.is_done(spec)]
    yield from describe_versions(done)
    yield Shown(describe_systems(table, prepared, systems, output.runs), scores=table)
    yield wrote(output.compare)


@dataclass(frozen=True)
class HierarchyOptions:
    """Which hierarchies to train; one of the first two is given.

    Attributes:
        shared: numbers of shared layers (Figure 3).
        hierarchies: `8,2,2;6,4,2`, to be combined with groupings (Figure 4).
        groups: NAME=FILE of each grouping; none for those at hand.
        k: number of groups of a clustering.
    """

    shared: Sequence[int] | None = None
    hierarchies: str | None = None
    groups: Sequence[str] = ()
    k: int | None = None


def run_sweep_of_hierarchies(
    output: Output,
    study: Study,
    workers: Workers,
    options: HierarchyOptions,
    *,
    dry_run: bool = False,
) -> Iterator[str]:
    """Train with several numbers of shared layers, or several hierarchies and groupings."""
    check_hierarchy_sweep(options.shared, options.hierarchies)
    study = settle_precision(output.folder, study, workers.devices, workers.scheduler)
    prepared = prepare_study(study, output.data)
    found = Groupings({})
    if options.hierarchies:
        found = choose_groupings(output, study, options.groups, options.k)
    yield from map(Aside, found.notes)
    sweep = plan_hierarchy_sweep(prepared, options.shared, options.hierarchies, found.groups)
    if dry_run:
        yield from describe_jobs(prepared, sweep.jobs, output.runs, workers)
        return
    table, path = run_hierarchy_sweep(output, prepared, sweep, workers)
    errors = [name for name, task in study.tasks.items() if is_error(task.metric)]
    yield Shown(describe_hierarchy_sweep(table, errors), scores=table)
    yield wrote(path)
