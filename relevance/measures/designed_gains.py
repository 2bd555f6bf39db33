"""Gains from balanced runs of some pairs or blocks, as a measure (`relevance.designs`)."""

from __future__ import annotations

from relevance.measures.measure import Measure

MEASURE = Measure(
    name="design",
    title="relative gain of the target, from balanced runs of some pairs or blocks",
    values="relative gain of the target",
    needs="pair runs",
    direction="directed",
    comparability="within a target",
    cost="single runs, and as many runs of several tasks as --budget says",
    source="Li et al. 2023 (runs of subsets); the model is this project's",
    compute=None,
    command="relevance pairwise --design blocks",
    holds_gains=True,
)
