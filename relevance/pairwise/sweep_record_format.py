"""What lies beside the matrix of a sweep (`relevance.pairwise.uncertainty` and `.effects`)."""

from __future__ import annotations

from hmnet.storage.table_format import TableFormat

COLLAPSED = TableFormat(
    "collapsed/1",
    {"task": str, "partner": str, "seed": float, "reason": str, "in_means": float},
)
"""A row per run that did not learn a task; `in_means` tells whether it counts all the same."""

TARGETS = TableFormat(
    "targets/1",
    {
        "task": str,
        "single": float,
        "majority": float,
        "beats": str,
        "n_dev": float,
        "n_single": float,
        "n_joint": float,
        "detectable": float,
    },
)
"""A row per target: whether it learned anything alone, and which gain can be detected."""

SCORES = TableFormat(
    "pairwise-scores/1",
    {"run": str, "task": str, "partner": str, "seed": float, "score": float},
)
"""A row per run and task of a sweep; `partner` is empty for single runs."""

DECOMPOSITION_SCHEMA = "decomposition/1"
"""That of `pairwise-decomposition.json` (`relevance.pairwise.effects.EffectsRecord`)."""
