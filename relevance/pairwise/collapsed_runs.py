"""Runs of a sweep that did not learn: found, and left out of the means where that is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from analysis.scores.collapse import CollapsedRun, Losses, find_collapsed, tabulate_collapsed
from analysis.scores.predictions import Predictions


def find_collapsed_runs(
    predictions: Mapping[str, Predictions], losses: Mapping[str, Losses]
) -> list[CollapsedRun]:
    """Return every run of a sweep that did not learn one of its tasks.

    Args:
        losses: task to its losses, as `relevance.pairwise.results.read_losses` returns them.
    """
    return [run for task, p in predictions.items() for run in find_collapsed(p, losses[task])]


def choose_dropped(
    collapsed: Iterable[CollapsedRun], predictions: Mapping[str, Predictions]
) -> list[CollapsedRun]:
    """Return the collapsed runs without which every task still has a single run."""
    runs = list(collapsed)
    alone = {
        task
        for task, found in predictions.items()
        if {r.seed for r in runs if (r.task, r.partner) == (task, "")} >= set(found.single.seeds)
    }
    return [run for run in runs if run.partner or run.task not in alone]


def drop_predictions(
    predictions: Mapping[str, Predictions], dropped: Iterable[CollapsedRun]
) -> dict[str, Predictions]:
    """Return the predictions without those of some runs."""
    gone: dict[str, list[tuple[str, int]]] = {}
    for run in dropped:
        gone.setdefault(run.task, []).append((run.partner, run.seed))
    return {
        task: found.drop(gone[task]) if task in gone else found
        for task, found in predictions.items()
    }


def drop_scores(scores: pd.DataFrame, dropped: Iterable[CollapsedRun]) -> pd.DataFrame:
    """Return the table of scores without those of some runs."""
    gone = {(run.task, run.partner, run.seed) for run in dropped}
    rows = zip(scores["task"], scores["partner"], scores["seed"], strict=True)
    return scores[np.array([row not in gone for row in rows], dtype=bool)]


def mark_dropped(
    collapsed: Iterable[CollapsedRun], dropped: Iterable[CollapsedRun]
) -> pd.DataFrame:
    """Return the table of collapsed runs; `in_means` says whether a run still counts."""
    runs, gone = list(collapsed), set(dropped)
    return tabulate_collapsed(runs).assign(in_means=[run not in gone for run in runs])
