"""What the gains rest on: what each target learned alone, and what its gains are due to."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from reports.inputs.report_inputs import ReportInputs
from reports.style.formatting import MISSING, PERCENT, format_number, format_percent, format_score
from reports.style.markup import sentence

_LEARNED = {"yes": "yes", "not shown": "not shown", "no": "no"}


@dataclass(frozen=True)
class TargetRow:
    """A target, as a row of a table.

    Attributes:
        learned: whether its single runs beat the best constant answer.
        numbers: values to sort by, with their texts: score alone, of the constant answer, of words,
            smallest gain that can be detected (in points), dev examples, single and joint runs.
    """

    task: str
    learned: str
    numbers: tuple[tuple[float, str], ...]


def list_targets(inputs: ReportInputs) -> list[TargetRow]:
    """Return what is known of each target, in the table's order."""
    if inputs.targets is None:
        return []
    return [
        TargetRow(
            str(row["task"]),
            _LEARNED.get(str(row["beats"]), MISSING),
            (
                *((row[name], _format(row, name, inputs)) for name in ("single", "majority")),
                _show_words(inputs, str(row["task"])),
                (row["detectable"], _format_points(row, inputs)),
                *((row[n], format_number(row[n], 0)) for n in ("n_dev", "n_single", "n_joint")),
            ),
        )
        for row in inputs.targets.to_dict("records")
    ]


def _show_words(inputs: ReportInputs, task: str) -> tuple[float, str]:
    score = inputs.words.get(task, math.nan)
    return score, format_score(score, is_error=task in inputs.errors, unit=PERCENT)


def _format(row: Mapping[Hashable, Any], name: str, inputs: ReportInputs) -> str:
    is_error = row["task"] in inputs.errors
    return format_score(row[name], is_error=is_error, unit=PERCENT)


def _format_points(row: Mapping[Hashable, Any], inputs: ReportInputs) -> str:
    """Return the smallest gain in points, or in the unit of an error."""
    if row["task"] in inputs.errors:
        return format_score(-row["detectable"], is_error=True)
    return format_number(100 * row["detectable"], 1)


def describe_shares(inputs: ReportInputs) -> Iterator[Markup]:
    """Yield what the gains' variance is due to, where it was taken apart."""
    found = inputs.shares
    if inputs.pairwise is None or found is None or found.shares is None:
        return
    if found.matrix != inputs.pairwise.identity:
        return
    row, column, both = (found.shares[name] for name in ("row", "column", "interaction"))
    yield sentence(
        "Of the differences between gains, {} are due to the source (some tasks help everyone), "
        "{} to the target (some tasks are helped by anyone) and <b>{}</b> to who is paired with "
        "whom.",
        format_percent(row, 0),
        format_percent(column, 0),
        format_percent(both, 0),
    )
    noise = found.noise_shares
    if noise is not None:
        yield _describe_noise(min(sum(noise.values()), 1.0), is_all=sum(noise.values()) >= 1)


def _describe_noise(share: float, *, is_all: bool) -> Markup:
    if is_all:
        return sentence("Noise alone would give differences as large.")
    return sentence("Noise alone would give {} of these differences.", format_percent(share, 0))
