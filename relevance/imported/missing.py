"""What results from elsewhere lack for all that a sweep of this package would say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from analysis.gains.score_draws import CORRELATIONS, SHARES, ArmScores
from analysis.gains.seed_value import plan_refinement
from relevance.imported.imported_results import ImportedResults
from relevance.pairwise.planning import describe_split
from relevance.pairwise.second_round import BUDGET, describe_extra

_SHOWN = 6


def describe_missing(results: ImportedResults) -> Iterator[str]:
    """Yield a line for whatever is missing, with what it would add."""
    if results.kind == "matrix":
        yield from _describe_matrix(results)
    if results.scores is not None:
        yield from _describe_scores(list(results.scores.targets.values()))
    if results.predictions is not None:
        yield (
            "missing: losses of the last steps, by which runs that did not learn are found too; "
            "sizes of the training sets, for the rule that larger tasks help smaller ones"
        )
    yield from _describe_gaps(results)


def _describe_matrix(results: ImportedResults) -> Iterator[str]:
    if results.matrix.measure != "pairwise":
        return
    if results.matrix.table["ci_low"].isna().all():
        yield (
            "missing: intervals (columns low and high of a table with a row per pair): which gains "
            "are beyond noise cannot be said"
        )
    yield (
        "missing: scores by seed (target, partner, seed, score): they give intervals, the "
        "stability of groups, and where further seeds pay"
    )


def _describe_scores(targets: Sequence[ArmScores]) -> Iterator[str]:
    checks: tuple[tuple[Callable[[ArmScores], bool], str], ...] = (
        (
            lambda t: not t.has_seed_noise and not t.has_row_noise,
            "a second seed, or metric and n_dev, of {}: these gains have no interval",
        ),
        (
            lambda t: not t.has_seed_noise and t.has_row_noise,
            "a second seed of {}: the intervals are of dev rows alone",
        ),
        (
            lambda t: t.has_seed_noise and not t.has_row_noise,
            "how much other dev rows would change {}: the intervals are of seeds alone, for these "
            f"dev rows (metric one of {', '.join((*SHARES, *CORRELATIONS))}, with n_dev)",
        ),
    )
    for applies, text in checks:
        named = [target.task for target in targets if applies(target)]
        if named:
            yield f"missing: {text.format(_list(named, len(targets)))}"
    if any(target.has_row_noise for target in targets):
        yield (
            "dev rows count as if each score had rows of its own: with predictions intervals are "
            "narrower, as runs err on the same rows"
        )
    yield (
        "missing: predictions (target, partner, seed, row, label, prediction): they give exact "
        "intervals, runs that did not learn, and targets no better than a constant answer"
    )


def _list(names: Sequence[str], of: int) -> str:
    if len(names) == of:
        return "all targets"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _describe_gaps(results: ImportedResults) -> Iterator[str]:
    if results.measurement is None:
        return
    values = results.matrix.to_frame().to_numpy(dtype=np.float64)
    tasks = results.matrix.tasks
    gaps = [f"{tasks[s]} to {tasks[t]}" for s, t in np.argwhere(np.isnan(values)).tolist()]
    if gaps:
        yield f"missing: {len(gaps)} of {len(tasks) * (len(tasks) - 1)} gains: {_list(gaps, 0)}"


def describe_plan(results: ImportedResults, budget: int = BUDGET) -> Iterator[str]:
    """Yield which further seeds are worth most; nothing where seed noise is not known."""
    measurement = results.measurement
    if measurement is None or measurement.uncertainty is None:
        return
    found = measurement.uncertainty.found
    if not found.has_seed_noise.any():
        return
    yield from describe_extra(plan_refinement(found, budget))
    runs = measurement.scores["run"].nunique()
    yield from describe_split(len(found.tasks), runs)
