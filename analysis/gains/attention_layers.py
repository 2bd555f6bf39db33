"""How similarity of attention goes with gains, layer by layer."""

from __future__ import annotations

import pandas as pd

from analysis.ranks import rank_correlation


def relate_to_gains(similarities: pd.DataFrame, gains: pd.DataFrame) -> pd.DataFrame:
    """Return how a layer's similarity goes with the pair's gain, over all ordered pairs.

    Args:
        similarities: as `measure_pairs` describes them.
        gains: `task`, `partner`, `gain`; pairs without a gain count for `similarity` alone.

    Returns:
        A row per layer: `layer`; `similarity`, its mean over heads and pairs; `with_gain` and
        `with_loss`, the mean over pairs in which the task gains or loses; `spearman`, the rank
        correlation of similarity and gain over pairs; `spearman_within`, the mean over tasks of
        that over the task's partners alone, which easy and hard tasks do not sway; `pairs`, the
        number of pairs with a gain. NaN where undefined.
    """
    keys = ["task", "partner"]
    means = similarities.groupby([*keys, "layer"], sort=False)["similarity"].mean().reset_index()
    both = means.merge(gains, on=keys)
    return pd.DataFrame([_relate_layer(rows) for _, rows in both.groupby("layer")])


def _relate_layer(pairs: pd.DataFrame) -> dict[str, float]:
    rows = pairs.dropna(subset="gain")
    similarity, gain = rows["similarity"], rows["gain"]
    within = [_correlate(of_task) for _, of_task in rows.groupby("task")]
    return {
        "layer": int(pairs["layer"].iloc[0]),
        "similarity": float(pairs["similarity"].mean()),
        "with_gain": float(similarity[gain > 0].mean()),
        "with_loss": float(similarity[gain < 0].mean()),
        "spearman": _correlate(rows),
        "spearman_within": float(pd.Series(within, dtype="float64").mean()),
        "pairs": len(rows),
    }


def _correlate(rows: pd.DataFrame) -> float:
    """Return the rank correlation of similarity and gain; NaN for fewer than three, or ties."""
    return rank_correlation(rows["similarity"].to_numpy(), rows["gain"].to_numpy())
