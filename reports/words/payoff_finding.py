"""The finding on whether sharing by groups pays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from relevance.systems.comparison_format import MULTI, SINGLE
from reports.inputs.report_inputs import ReportInputs
from reports.inputs.score_table import Difference, ScoreTable, label_system
from reports.style.formatting import format_number
from reports.style.markup import bold, join, sentence
from reports.words.finding import MOST_NAMED, Finding, Tone, answer_missing, describe_difference
from reports.words.next_steps import command_for


def find_best_difference(scores: ScoreTable, other: str) -> Difference | None:
    """Return the difference of the best hierarchy from another system, if both are there."""
    names = scores.hierarchical()
    return scores.difference(names[0], other) if names else None


def find_payoff(inputs: ReportInputs, scores: ScoreTable | None) -> Finding:
    """Say how the best hierarchy stands beside single-task and multi-task training."""
    question = "Did HMNet beat single-task and multi-task training?"
    names = scores.hierarchical() if scores is not None else []
    if scores is None or not names:
        return answer_missing("payoff", question, command_for("comparison", inputs.name))
    pairs = [(other, scores.difference(names[0], other)) for other in (MULTI, SINGLE)]
    known = [(other, found) for other, found in pairs if found is not None]
    if not known:
        answer = Markup("The comparison holds neither single-task nor multi-task training.")
        return Finding("payoff", question, answer, tone="missing")
    verb = "Yes" if all(found.value > 0 for _, found in known) else "Not in both cases"
    if all(found.value <= 0 for _, found in known):
        verb = "No"
    parts = [
        sentence("{} {} training", describe_difference(found), label_system(other).lower())
        for other, found in known
    ]
    answer = sentence(
        "{}. On average over tasks, {} is {}.", verb, label_system(names[0]), join(parts)
    )
    evidence = (
        *(_judge_difference(other, found) for other, found in known),
        *_describe_choice(names),
        *_name_losers(scores, names[0]),
    )
    sure = all(found.is_clear for _, found in known)
    tone: Tone = "doubt" if not sure else "good" if verb == "Yes" else "bad"
    return Finding("payoff", question, answer, evidence, tone)


def _judge_difference(other: str, found: Difference) -> Markup:
    lead = f"Against {label_system(other).lower()} training:"
    if math.isnan(found.low):
        return _judge_without_interval(lead, found)
    low, high = (format_number(100 * x, signed=True) for x in (found.low, found.high))
    interval = f"95 % interval {low} to {high} points"
    if found.seeds < 2:
        return sentence(
            "{} {} over dev examples; one seed, so more noise than that.", lead, interval
        )
    return sentence(
        "{} ahead in {} of {} seeds, {} over {}: {} noise.",
        lead,
        found.wins,
        found.seeds,
        interval,
        "seeds and dev examples" if found.holds_examples else "seeds",
        "beyond" if found.is_clear else "within",
    )


def _judge_without_interval(lead: str, found: Difference) -> Markup:
    if found.seeds < 2:
        return sentence("{} one seed, so noise is not known.", lead)
    return sentence(
        "{} ahead in {} of {} seeds; three or more are needed for an interval.",
        lead,
        found.wins,
        found.seeds,
    )


def _describe_choice(names: Sequence[str]) -> Iterator[Markup]:
    if len(names) > 1:
        yield sentence(
            "It is the best of {} groupings on these dev sets, which flatters it a little.",
            len(names),
        )


def _name_losers(scores: ScoreTable, system: str) -> Iterator[Markup]:
    """Name the tasks on which a system falls behind single-task training (negative transfer)."""
    found = {task: scores.difference(system, SINGLE, task) for task in scores.tasks}
    known = {task: difference for task, difference in found.items() if difference is not None}
    sure = {t: d.value for t, d in known.items() if d.verdict == "below"}
    unsure = {t: d.value for t, d in known.items() if d.verdict == "perhaps below"}
    if sure:
        yield sentence(
            "Negative transfer on {} of {} tasks, where the whole 95 % interval is below "
            "single-task training; most on {} points.",
            len(sure),
            len(scores.tasks),
            _name_worst(sure),
        )
    if unsure:
        yield sentence(
            "Behind single-task training by what may be noise on {} of {} tasks; most on {} "
            "points.",
            len(unsure),
            len(scores.tasks),
            _name_worst(unsure),
        )


def _name_worst(losses: Mapping[str, float]) -> Markup:
    worst = sorted(losses, key=lambda task: losses[task])[:MOST_NAMED]
    amounts = [format_number(100 * losses[task], signed=True) for task in worst]
    return join(
        [sentence("{} ({})", bold(t), amount) for t, amount in zip(worst, amounts, strict=True)]
    )
