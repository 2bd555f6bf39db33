"""A finding: a sentence with its tone, and the phrases that findings share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from relevance.matrices.gain_table import Gain
from reports.inputs.score_table import Difference
from reports.style.formatting import format_number, format_percent
from reports.style.markup import bold, sentence

Tone = Literal["good", "bad", "doubt", "plain", "missing"]
MOST_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """A question, its answer, and what the answer stands on.

    Attributes:
        key: a short name, for links and styles.
        tone: `missing` where the stage that answers it has not been run.
        command: the command that would answer it, where it is missing.
    """

    key: str
    question: str
    answer: Markup
    evidence: tuple[Markup, ...] = ()
    tone: Tone = "plain"
    command: str = ""


def describe_difference(difference: Difference) -> str:
    """Return by how many points a system is ahead or behind."""
    points = format_number(abs(100 * difference.value))
    if points == format_number(0):
        return "level with"
    return f"{points} points {'ahead of' if difference.value > 0 else 'behind'}"


def answer_missing(key: str, question: str, command: str) -> Finding:
    """Return the finding of a stage that has not been run, with its command."""
    answer = sentence("Not known yet. <code>{}</code> finds out.", command)
    return Finding(key, question, answer, tone="missing", command=command)


def describe_gain(gain: Gain) -> Markup:
    """Return which task helps or hurts which, and by how much."""
    verb = "helps" if gain.value > 0 else "hurts"
    is_known = not math.isnan(gain.expected)
    return sentence(
        "{} {} {} by {}{}",
        bold(gain.source),
        verb,
        bold(gain.target),
        format_percent(abs(gain.value)),
        f" (expected {format_percent(gain.expected, signed=True)})" if is_known else "",
    )
