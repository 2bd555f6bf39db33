"""Averages over the tasks whose dev splits are large enough to carry a claim.

Two tasks of 71 and 56 dev rows hold half of the noise of an average over the paper's 13.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from analysis.gains.paired import LARGE_AVERAGE
from hmnet.jobs.prepared import PreparedStudy
from hmnet.study.metrics import list_averaged
from relevance.systems.comparison_format import LEAST_DEV_ROWS, REFERENCE_SYSTEMS


def list_large(prepared: PreparedStudy) -> list[str]:
    """Return the tasks of an average with at least `LEAST_DEV_ROWS` rows to be judged by."""
    counted = list_averaged({name: data.task.metric for name, data in prepared.data.items()})
    return [name for name in counted if prepared.data[name].n_judged >= LEAST_DEV_ROWS]


def describe_large_tasks(means: pd.DataFrame, large: Sequence[str]) -> list[str]:
    """Return each system's average over large tasks; nothing where all are large, or none is.

    Args:
        means: a comparison's rows without a seed.
        large: those tasks.
    """
    rows = means[means["task"] == LARGE_AVERAGE]
    if rows.empty:
        return []
    return [
        "",
        f"average over the {len(large)} tasks of at least {LEAST_DEV_ROWS} dev rows, %",
        *(f"  {row['system']}: {', '.join(_list_parts(row))}" for _, row in rows.iterrows()),
    ]


def _list_parts(row: pd.Series) -> Iterator[str]:
    yield f"{100 * row['score']:.1f}"
    for start, other in REFERENCE_SYSTEMS.items():
        if pd.notna(row[start]):
            value, low, high = (100 * row[f"{start}{end}"] for end in ("", "_low", "_high"))
            yield f"{value:+.1f} [{low:+.1f}, {high:+.1f}] to {other}"
