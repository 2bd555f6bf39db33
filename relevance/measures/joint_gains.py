"""The paper's gains of joint over single fine-tuning as a measure (equations 3 and 4)."""

from __future__ import annotations

from relevance.measures.measure import Measure

MEASURE = Measure(
    name="pairwise",
    title="relative gain of the target from training with the source",
    values="relative gain of the target",
    needs="pair runs",
    direction="directed",
    comparability="within a target",
    cost="T + T(T-1)/2 fine-tuning runs, for each seed",
    source="Fei et al. 2022, equations 3 and 4",
    compute=None,
    command="relevance pairwise",
    is_standard=True,
    holds_gains=True,
    holds_truth=True,
)
