"""What can be relied on in a sweep, in sentences for the terminal."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import numpy as np
import pandas as pd

from analysis.gains.bootstrap import GainBootstrap
from analysis.levels import SIGNIFICANCE
from analysis.scores.collapse import CollapsedRun
from analysis.text_tables import format_square
from relevance.matrices.matrix import RelevanceMatrix

SHOWN = 6
"""Gains, or runs, that are named one by one."""


def format_matrix(matrix: RelevanceMatrix) -> str:
    """Return the gains in percent as text.

    A star marks those beyond noise (q < .05), a question mark those that are undefined in practice.
    """
    wide = matrix.to_frame().mul(100)
    marks = pd.DataFrame(index=wide.index, columns=wide.columns, data=" ")
    marks = marks.mask(matrix.to_frame("q_value") < SIGNIFICANCE, "*").mask(
        _find_undefined(matrix), "?"
    )
    title = f"gain of column from row, %; * beyond noise (q < {SIGNIFICANCE:g})"
    if (marks == "?").to_numpy().any():
        title += "; ? single run no better than a constant answer"
    return format_square(wide, title, marks)


def _find_undefined(matrix: RelevanceMatrix) -> pd.DataFrame:
    if "undefined" not in matrix.table.columns:
        return matrix.to_frame().notna() & False
    return matrix.to_frame("undefined").astype(bool)


def describe_significant(matrix: RelevanceMatrix) -> Iterator[str]:
    """Yield how many gains and losses are beyond noise, and the strongest of them.

    Those over a single run that learned nothing are counted apart.
    """
    table = matrix.table[matrix.table["source"] != matrix.table["target"]]
    tested = table[table["q_value"].notna()]
    if tested.empty:
        return
    sure = tested[tested["q_value"] < SIGNIFICANCE]
    if "undefined" in sure.columns:
        sure = sure[~sure["undefined"].astype(bool)]
    losses = int((sure["value"] < 0).sum())
    yield (
        f"{len(sure)} of {len(tested)} gains are beyond noise (q < {SIGNIFICANCE:g}): "
        f"{len(sure) - losses} up, {losses} down"
    )
    strongest = sure.sort_values("value", key=np.abs, ascending=False, kind="stable")
    shown = strongest.head(SHOWN)
    intervals = map(_show_interval, shown["ci_low"], shown["ci_high"])
    expected = map(_show_expected, shown.get("expected", shown["value"] * math.nan))
    for row, interval, less in zip(shown.itertuples(), intervals, expected, strict=True):
        yield f"  {row.source} -> {row.target}: {row.value:+.1%} ({interval}){less}"
    if len(sure) > SHOWN:
        yield f"  and {len(sure) - SHOWN} more"
    if odd := int((tested["q_value"] < SIGNIFICANCE).sum()) - len(sure):
        yield f"  not counted: {odd} over single runs that are no better than a constant answer"
    yield from _describe_choice(sure)


def _describe_choice(sure: pd.DataFrame) -> Iterator[str]:
    """Yield what is left of gains beyond noise once it counts that they were chosen for it."""
    if "expected" not in sure.columns or sure["expected"].isna().all():
        return
    kept = sure[sure["expected"].notna()]
    size = kept["value"].abs().mean()
    left = (kept["expected"] * np.sign(kept["value"])).mean()
    yield (
        f"  chosen for being large, they are expected to be smaller: {left:.1%} on average in "
        f"place of the measured {size:.1%}"
    )


def _show_expected(expected: float) -> str:
    return "" if math.isnan(expected) else f", expected {expected:+.1%}"


def _show_interval(low: float, high: float) -> str:
    if math.isnan(low):
        return "no interval: the single score is 0 or less in some draws"
    return f"{low:+.1%} to {high:+.1%}"


def describe_majority(targets: pd.DataFrame) -> Iterator[str]:
    """Yield the targets whose single runs do not, or not surely, beat the best constant answer."""
    texts = {
        "no": "single runs that do not beat the best constant answer; gains over them are "
        "undefined in practice",
        "not shown": "single runs that may not beat the best constant answer",
    }
    for verdict, text in texts.items():
        rows = targets[targets["beats"] == verdict]
        named = [f"{row.task} ({row.single:.3f}, {row.majority:.3f})" for row in rows.itertuples()]
        if named:
            yield f"{text} (score, constant): {', '.join(named)}"


def describe_collapsed_runs(
    collapsed: Collection[CollapsedRun], dropped: Collection[CollapsedRun]
) -> Iterator[str]:
    """Yield which runs collapsed, and whether they are in the means."""
    if not collapsed:
        return
    named = [
        f"{run.task}{f' with {run.partner}' if run.partner else ''}, seed {run.seed} "
        f"({'; '.join(run.reasons)})"
        for run in collapsed
    ]
    fate = "in the means; --drop-collapsed leaves them out"
    if dropped:
        left = len(collapsed) - len(dropped)
        fate = "left out of means and intervals"
        fate += f" except for {left} whose task has no other single run" if left else ""
    yield f"{len(collapsed)} collapsed results, {fate}:"
    yield from (f"  {name}" for name in named[:SHOWN])
    if len(named) > SHOWN:
        yield f"  and {len(named) - SHOWN} more, in pairwise-collapsed.parquet"


def describe_unread(missing: Collection[str]) -> Iterator[str]:
    """Yield the tasks without a finished single run."""
    if missing:
        yield (
            f"no finished single run of {', '.join(missing)}: what these gain and give has no "
            "interval"
        )


def describe_seeds(found: GainBootstrap) -> Iterator[str]:
    """Yield a sentence where seed noise is not in the intervals."""
    run = [i for i in range(len(found.tasks)) if not np.isnan(found.joint[:, i]).all()]
    lacking = [found.tasks[i] for i in run if not found.has_seed_noise[:, i].any()]
    if not lacking:
        return
    where = "" if len(lacking) == len(run) else f" of {', '.join(lacking)}"
    yield (
        f"one seed: the intervals{where} hold for these very runs; seed noise is not in them, so "
        "that no gain is tested: other seeds can turn it into a loss (--seeds 3 or more)"
    )


def describe_parts(shares: dict[str, float], noise: dict[str, float] | None) -> str:
    """Return how much of the gains' variance sources, targets and the two together explain."""
    names = {"row": "source", "column": "target", "interaction": "the two together"}
    parts = [
        f"{name} {shares[part]:.0%}" + (f" (noise alone: {_cap(noise[part])})" if noise else "")
        for part, name in names.items()
        if not math.isnan(shares[part])
    ]
    return f"variance of the gains: {', '.join(parts)}"


def _cap(share: float) -> str:
    """Return a share of the variance; noise may have more of it than the matrix."""
    return "all of it" if share >= 1 else f"{share:.0%}"
