"""How often a system wins, loses and draws against another one, task by task."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from analysis.gains.paired import AVERAGE


def describe_record(means: pd.DataFrame, start: str) -> Iterator[str]:
    """Yield a line of wins, losses and draws for each system.

    A task is won where the interval of its difference lies above zero, lost where it lies below.

    Args:
        means: rows without a seed, of tasks with a difference.
        start: start of the difference's columns, such as `vs_multi`.
    """
    tasks = means[means["task"] != AVERAGE]
    for system, rows in tasks.groupby("system", sort=False):
        wins, losses = int((rows[f"{start}_low"] > 0).sum()), int((rows[f"{start}_high"] < 0).sum())
        draws = len(rows) - wins - losses
        yield f"{system}: {wins} won, {losses} lost, {draws} drawn of {len(rows)} tasks"
