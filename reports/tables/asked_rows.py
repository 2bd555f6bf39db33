"""What was found for single targets (`relevance target`), as rows of tables."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from relevance.pairwise.one_target_format import Help
from reports.inputs.report_inputs import AskedTarget, ReportInputs
from reports.style.formatting import format_number, format_percent


@dataclass(frozen=True)
class SourceRow:
    """A source of a target.

    Attributes:
        numbers: values to sort by, with their texts: gain, its interval, q, and joint runs.
        verdict: what is said of it.
    """

    source: str
    numbers: tuple[tuple[float, str], ...]
    verdict: str


@dataclass(frozen=True, eq=False)
class AskedTable:
    """A target with its sources, the best one first.

    Attributes:
        decision: what to do, in a sentence.
        table: the sources as they are stored.
        is_sequential: whether the target was also trained after sources.
    """

    target: str
    decision: str
    rows: tuple[SourceRow, ...]
    table: pd.DataFrame
    is_sequential: bool


def list_asked(inputs: ReportInputs) -> list[AskedTable]:
    """Return the targets that were asked for, by name."""
    return [_to_table(each) for each in inputs.asked]


def _to_table(asked: AskedTarget) -> AskedTable:
    rows = tuple(
        SourceRow(
            str(Help(str(row["source"]), row.get("way", "with"))),
            (
                *(
                    (row[n], format_percent(row[n], 1, signed=True))
                    for n in ("gain", "low", "high")
                ),
                (row["q_value"], format_number(row["q_value"], 3)),
                (row["n_seeds"], format_number(row["n_seeds"], 0)),
            ),
            str(row["verdict"]),
        )
        for row in asked.table.to_dict("records")
    )
    is_sequential = "way" in asked.table and (asked.table["way"] == "after").any()
    return AskedTable(asked.target, asked.decision, rows, asked.table, bool(is_sequential))
