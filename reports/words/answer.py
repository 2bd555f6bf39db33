"""The answer in words, generated from the numbers: what a reader should know in a minute."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from relevance.matrices.gain_table import GainTable
from relevance.systems.comparison_format import MULTI
from reports.inputs.report_inputs import ReportInputs
from reports.inputs.score_table import (
    ScoreTable,
)
from reports.style.formatting import (
    count_noun,
    join_words,
)
from reports.words.cautions import find_cautions
from reports.words.finding import Finding, describe_difference
from reports.words.grouping_finding import find_groups
from reports.words.help_finding import find_help
from reports.words.loss_finding import find_losses
from reports.words.next_steps import NextStep, plan_next
from reports.words.payoff_finding import find_best_difference, find_payoff


@dataclass(frozen=True)
class ReportSummary:
    """The top of a report."""

    headline: str
    findings: tuple[Finding, ...]
    cautions: tuple[Markup, ...]
    steps: tuple[NextStep, ...]


def summarise_report(inputs: ReportInputs) -> ReportSummary:
    """Put an output folder's numbers into words."""
    gains, scores = inputs.gains, inputs.scores
    found = [
        find_groups(inputs),
        find_losses(inputs, gains),
        find_help(inputs, gains),
        find_payoff(inputs, scores),
    ]
    return ReportSummary(
        _headline(inputs, gains, scores),
        tuple(found),
        tuple(find_cautions(inputs, gains, scores)),
        tuple(plan_next(inputs)),
    )


def _headline(inputs: ReportInputs, gains: GainTable | None, scores: ScoreTable | None) -> str:
    parts = []
    tasks = count_noun(len(inputs.tasks), "task")
    if inputs.groups is not None:
        count = len(inputs.groups.groups)
        parts.append(f"{tasks}, {count_noun(count, 'group')}")
    if scores is not None and (difference := find_best_difference(scores, MULTI)) is not None:
        parts.append(f"HMNet is {describe_difference(difference)} multi-task training")
    if not parts and gains is not None:
        parts.append(f"{tasks}, {count_noun(len(gains.gains), 'measured gain')}")
    if not parts and inputs.vocabulary is not None:
        parts.append(f"{tasks}, compared by their vocabulary")
    if not parts and inputs.further:
        parts.append(f"{tasks}, compared by {join_words(list(inputs.further))}")
    if not parts and inputs.runs.done:
        parts.append(f"{count_noun(len(inputs.runs.done), 'run')} finished, no gains yet")
    return "; ".join(parts) or "Nothing has been measured yet"
