"""Whether groups are no more than bands of the tasks' sizes.

A measure that grows with the size of a source (shared vocabulary does, as a share of the target's)
groups tasks by their size. The share of the variance of log sizes that lies between groups is
compared with that of the same groups dealt to tasks at random.

>>> from hmnet.study.hierarchy import Groups
>>> groups = Groups({"1": ("a", "b", "c"), "2": ("d", "e", "f")})
>>> sizes = {"a": 900, "b": 1000, "c": 1100, "d": 90, "e": 100, "f": 110}
>>> found = compare_with_sizes(groups, sizes)
>>> round(found.share, 2), found.p_value
(0.99, 0.11)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats, Labels
from analysis.levels import SIGNIFICANCE
from analysis.partitions.agreement import to_labels
from hmnet.study.hierarchy import Groups
from relevance.matrices.matrix import RelevanceMatrix

PERMUTATIONS = 1999
LEAST_SHARE = 0.5
VOCABULARIES, ROWS = "vocabularies", "dev sets"

REASONS = {
    VOCABULARIES: ("a large vocabulary shares more with every other, whatever its texts are about"),
    ROWS: "what looks like kinship may be no more than how many rows tasks have",
}


@dataclass(frozen=True)
class SizeBands:
    """How far groups follow sizes.

    Attributes:
        share: of the variance of log sizes, what lies between groups.
        p_value: of a share as large, for the same groups dealt to tasks at random.
        of: what has these sizes, `VOCABULARIES` or `ROWS`.
    """

    share: float
    p_value: float
    of: str = "vocabularies"

    @property
    def are_bands(self) -> bool:
        """Whether the groups follow sizes more than chance would, and for the most part."""
        return self.p_value < SIGNIFICANCE and self.share > LEAST_SHARE


def compare_with_sizes(groups: Groups, sizes: Mapping[str, float], seed: int = 0) -> SizeBands:
    """Return how far groups follow the sizes of their tasks, all positive."""
    logs = np.log([float(sizes[task]) for task in groups.tasks])
    labels = to_labels(groups, groups.tasks)
    own = _measure_share(logs, labels)
    rng = np.random.default_rng(seed)
    others = [_measure_share(logs, rng.permutation(labels)) for _ in range(PERMUTATIONS)]
    as_large = 1 + sum(other >= own - 1e-12 for other in others)
    return SizeBands(own, round(as_large / (1 + PERMUTATIONS), 2 if as_large > 100 else 4))


def _measure_share(logs: Floats, labels: Labels) -> float:
    centred = logs - logs.mean()
    whole = float((centred**2).sum())
    if whole == 0:
        return 0.0
    between = [centred[labels == g].sum() ** 2 / (labels == g).sum() for g in np.unique(labels)]
    return float(sum(between)) / whole


def find_sizes(matrix: RelevanceMatrix) -> tuple[str, Mapping[str, float]]:
    """Return what has sizes, and each task's, positive; none where the matrix does not tell.

    A vocabulary matrix tells the number of word pieces or words, one of gains that of dev rows.
    """
    found = matrix.provenance.get("vocabulary_sizes")
    if isinstance(found, Mapping) and all(found.get(task) for task in matrix.tasks):
        return VOCABULARIES, found
    rows = matrix.table.groupby("target", observed=True)["n_dev"].max()
    sizes = {str(task): float(count) for task, count in rows.items() if count > 0}
    return ROWS, sizes if len(sizes) == len(matrix.tasks) else {}


def describe_bands(found: SizeBands | None) -> Iterator[str]:
    """Yield a warning where groups are bands of size."""
    if found is not None and found.are_bands:
        yield (
            f"warning: these groups follow the size of the tasks' {found.of} ({found.share:.0%} "
            f"of its variance lies between groups, p = {found.p_value:.3f}): {REASONS[found.of]}"
        )
