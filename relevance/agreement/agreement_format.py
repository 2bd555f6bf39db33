"""The table of what each measure is worth (`relevance.agreement.judging` makes it)."""

from __future__ import annotations

from hmnet.storage.table_format import TableFormat

AGREEMENT = TableFormat(
    "agreement/1",
    {
        "name": str,
        "kind": str,
        "cost_frac": float,
        "known_frac": float,
        "targets": float,
        "spearman": float,
        "spearman_true": float,
        "spearman_low": float,
        "spearman_high": float,
        "regret1": float,
        "regret1_true": float,
        "regret1_low": float,
        "regret1_high": float,
        "regret3": float,
        "regret3_true": float,
        "regret3_low": float,
        "regret3_high": float,
        "groups": float,
        "gain": float,
        "gain_true": float,
        "gain_low": float,
        "gain_high": float,
        "gain_frac": float,
    },
)
"""A row per measure, design, screen or baseline (`kind`).

`cost_frac` is what it costs as a share of the sweep, `known_frac` the share of cells that it says
something about. Each figure stands as judged by the measured gains, then as expected of the true
ones (`_true`; null where nothing says how noisy the gains are) with a 95 % interval. `gain` is a
task's mean gain in the `groups` that it would give, `gain_frac` that of the true gains as a share
of the best groups'. Gains and regrets are relative gains (equation 4), as fractions."""
