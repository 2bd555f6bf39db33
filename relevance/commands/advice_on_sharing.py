"""`relevance advise`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from analysis.partitions.decision import Decision
from hmnet.console.speaking import Aside, Shown, wrote
from hmnet.errors import InputError
from hmnet.folder.freshness import Sources, deriving, note_files
from hmnet.folder.outputs import Output
from hmnet.jobs.machine_precision import settle_precision
from hmnet.jobs.prepared import PreparedStudy, prepare_study
from hmnet.jobs.workers import Workers
from hmnet.storage.documents import to_plain
from hmnet.study.study import Study
from relevance.commands.lines import describe_jobs
from relevance.groups.advice import describe_advice
from relevance.groups.doubt import DoubtedGroups, group_matrix, name_source
from relevance.groups.hierarchy_advice import (
    HierarchyAdvice,
    advise_hierarchy,
    describe_hierarchy,
    describe_price,
)
from relevance.groups.layer_agreement import (
    PROBE_EPOCHS,
    describe_pair_depths,
    plan_probe,
    probe_layers,
)
from relevance.imported.named_matrix import NamedMatrix, open_matrix
from relevance.matrices.gain_table import declares_gains
from relevance.measures.find import find_measured


@dataclass(frozen=True)
class AdviceOptions:
    """What advice is made from.

    Attributes:
        source: a matrix of gains; None for the measured one.
        run: a multi-task run that kept its model, for where tasks part; None for a short one.
        parts: whether it is measured where groups part.
    """

    source: str | None = None
    run: str | None = None
    parts: bool = True


def run_advise(
    output: Output,
    study: Study,
    workers: Workers,
    options: AdviceOptions | None = None,
    *,
    dry_run: bool = False,
) -> Iterator[str]:
    """Say which tasks to train together and how deep; write groups.json for `hmnet train`."""
    options = options or AdviceOptions()
    named = open_matrix(output, None, options.source)
    _check_matrix(named, study)
    study = settle_precision(output.folder, study, workers.devices, workers.scheduler)
    prepared = prepare_study(study, output.data)
    found = name_source(group_matrix(named.matrix, None, draws=named.draws), options.source)
    yield from map(Aside, named.notes)
    decision = found.decision
    assert decision is not None  # noqa: S101 (the matrix holds gains)
    parts = _needs_parts(decision, options)
    if dry_run:
        yield from describe_advice(decision, knows_noise=found.knows_noise)
        jobs = [plan_probe(prepared)] if parts and options.run is None else []
        yield from describe_jobs(prepared, jobs, output.runs, workers)
        return
    advice, told, seconds = _find_parts(output, prepared, workers, found, options)
    yield from describe_hierarchy(advice)
    yield from told
    yield from describe_advice(decision, knows_noise=found.knows_noise)
    yield from describe_price(advice, prepared, seconds)
    path = find_measured(output, options.source)
    files = [*([path] if path else []), *([output.layer_agreement] if parts else [])]
    with deriving(Sources("relevance advise", files=note_files(output, *files))):
        written = dataclasses.replace(found, groups=advice.groups).write(output)
    groups = advice.groups
    layers = {"hierarchy": str(groups.hierarchy), "depths": to_plain(groups)["depths"]}
    way_on = f"next: {_tell_next(advice, output)}"
    yield Shown(way_on, groups=groups.groups, origin=groups.origin, **layers)
    yield wrote(*written, *([output.layer_agreement] if parts else []))


def _needs_parts(decision: Decision, options: AdviceOptions) -> bool:
    """Tell whether it is to be measured where groups part."""
    return options.parts and (decision.verdict == "groups" or options.run is not None)


def _check_matrix(named: NamedMatrix, study: Study) -> None:
    if not declares_gains(named.matrix):
        raise InputError(
            "Parameter `matrix` should hold measured gains, as `relevance pairwise` gives them. "
            f"Found {named.matrix.measure}."
        )
    if set(named.matrix.tasks) != set(study.tasks):
        raise InputError(
            f"Parameter `matrix` should hold the study's tasks, {', '.join(study.tasks)}. Found "
            f"{', '.join(named.matrix.tasks)}."
        )


def _find_parts(
    output: Output,
    prepared: PreparedStudy,
    workers: Workers,
    found: DoubtedGroups,
    options: AdviceOptions,
) -> tuple[HierarchyAdvice, list[str], float | None]:
    """Return the advice, what is told of pairs, and the seconds of an epoch where known."""
    assert found.decision is not None  # noqa: S101 (as above)
    tasks, run = list(prepared.study.tasks), options.run
    if not _needs_parts(found.decision, options):
        return advise_hierarchy(found.groups, found.decision, prepared.depth), [], None
    agreement, spec = probe_layers(output, prepared, workers, run)
    advice = advise_hierarchy(found.groups, found.decision, prepared.depth, agreement, tasks)
    told = list(describe_pair_depths(agreement, tasks))
    if run is not None and not output.runs.is_done(spec):
        return advice, told, None
    seconds = output.runs.result(spec).seconds["train"]
    return advice, told, seconds / (spec.training.epochs if run else PROBE_EPOCHS)


def _tell_next(advice: HierarchyAdvice, output: Output) -> str:
    if advice.decision.verdict == "alone":
        return f"hmnet compare --out {output.folder} trains each task alone, beside sharing"
    return f"hmnet train --out {output.folder} trains what is advised (groups.json holds it)"
