"""`relevance attention`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hmnet.console.speaking import wrote
from hmnet.folder.outputs import Output
from hmnet.jobs.machine_precision import settle_precision
from hmnet.jobs.prepared import prepare_study
from hmnet.jobs.workers import Workers
from hmnet.study.study import Study
from relevance.attention.attention_plan import describe_attention_plan, plan_attention
from relevance.attention.pair_maps import (
    describe_layers,
    describe_pairs,
    list_all_pairs,
    measure_all_pairs,
    measure_pairs,
    parse_pairs,
)
from relevance.commands.lines import describe_jobs


def run_attention(
    output: Output,
    study: Study,
    workers: Workers,
    given: Sequence[str] = (),
    *,
    all_pairs: bool = False,
    dry_run: bool = False,
) -> Iterator[str]:
    """Compare the attention of single and joint models, pair by pair; write a file for each.

    Args:
        given: pairs, as ONE,OTHER.
        all_pairs: every pair of the study, beside its gain, layer by layer.
        dry_run: say what this would take; run nothing.
    """
    pairs = parse_pairs(study.tasks, given) if given or not all_pairs else []
    study = settle_precision(output.folder, study, workers.devices, workers.scheduler)
    prepared = prepare_study(study, output.data)
    if dry_run:
        asked = [*pairs, *(list_all_pairs(prepared) if all_pairs else [])]
        plan = plan_attention(output, prepared, asked)
        yield from describe_attention_plan(plan)
        yield from describe_jobs(prepared, plan.jobs, output.runs, workers)
        return
    if pairs:
        yield describe_pairs(measure_pairs(output, prepared, pairs, workers))
    if all_pairs:
        yield describe_layers(measure_all_pairs(output, prepared, workers))
    yield wrote(output.attention)
