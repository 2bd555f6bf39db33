"""Gains from some pairs and cheap measures, as a measure (`relevance.designs`)."""

from __future__ import annotations

from relevance.measures.measure import Measure

MEASURE = Measure(
    name="screen",
    title="relative gain of the target, from some pairs and cheap measures",
    values="relative gain of the target",
    needs="pair runs",
    direction="directed",
    comparability="within a target",
    cost="single runs, and at most as many pair runs as --budget says",
    source="arXiv 2310.16241 (learned from measured pairs); the model is this project's",
    compute=None,
    command="relevance pairwise --screen",
    holds_gains=True,
)
