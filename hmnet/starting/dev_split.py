"""Dev rows of a table that has none: a seeded, stratified draw that keeps rows together.

Rows of the same texts, and rows of one group where a column says so, are all on one side: else the
dev score would measure memory. Labels keep their shares as far as that allows (scikit-learn's
`StratifiedGroupKFold`); values are cut into five equally frequent ranges for that.

Legend: N rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from hmnet.errors import InputError, raise_problems

_RANGES = 5
_RARE = "(rare)"


@dataclass(frozen=True)
class SplitOptions:
    """How dev rows are drawn.

    Attributes:
        dev_frac: share of the rows, as near to it as one part in whole parts can be.
        seed: of the draw.
        group: a column whose equal values are on one side; None for none.
    """

    dev_frac: float = 0.2
    seed: int = 0
    group: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.dev_frac <= 0.5:
            raise InputError(
                "Parameter `dev_frac` should be above 0 and at most 0.5. "
                f"Found `{self.dev_frac:g}`."
            )


SPLIT_OPTIONS = SplitOptions()


def draw_dev(
    frame: pd.DataFrame,
    texts: Sequence[str],
    labels: Sequence[str],
    options: SplitOptions = SPLIT_OPTIONS,
    *,
    is_regression: bool = False,
) -> npt.NDArray[np.bool_]:
    """Return which rows are dev rows, [N]; the same for the same rows, options and seed.

    Args:
        labels: columns whose values, taken together, keep their shares.
        is_regression: whether the one label column holds values.

    Raises:
        InputError: if the group column is missing, or too few rows can be told apart.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if options.group is not None and options.group not in frame.columns:
        raise InputError(
            f"Parameter `group` should be a column of the table. Found `{options.group}`: "
            f"{', '.join(map(str, frame.columns))}."
        )
    together = join_rows(frame, texts, options.group)
    parts = max(2, round(1 / options.dev_frac))
    count = int(together.max()) + 1
    raise_problems(
        f"The rows should fall into at least {parts} that can be on either side. Found {count} "
        f"(duplicates{'' if options.group is None else f' and `{options.group}`'} stay together)."
        for _ in range(count < parts)
    )
    strata = _make_strata(_combine(frame, labels), parts, is_regression=is_regression)
    folds = StratifiedGroupKFold(parts, shuffle=True, random_state=options.seed)
    is_dev = np.zeros(len(frame), dtype=bool)
    is_dev[next(iter(folds.split(strata, strata, together)))[1]] = True
    return is_dev


def join_rows(
    frame: pd.DataFrame, texts: Sequence[str], group: str | None = None
) -> npt.NDArray[np.int64]:
    """Return a number for each row, [N], that rows which stay together share."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    folded = frame[list(texts)].apply(lambda c: c.str.casefold().str.split().str.join(" "))
    keys = [folded.agg("\x1f".join, axis=1).to_numpy()]
    keys += [] if group is None else [frame[group].to_numpy()]
    size, rows, ends, last = len(frame), [], [], len(frame)
    for key in keys:
        codes = np.unique(key.astype(str), return_inverse=True)[1]
        rows.append(np.arange(size))
        ends.append(codes + last)
        last += int(codes.max()) + 1
    edges = (np.concatenate(rows), np.concatenate(ends))
    graph = coo_array((np.ones(len(edges[0])), edges), shape=(last, last))
    numbers = connected_components(graph, directed=False)[1][:size]
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def _combine(frame: pd.DataFrame, labels: Sequence[str]) -> pd.Series:
    if len(labels) == 1:
        return frame[labels[0]]
    return frame[list(labels)].astype(str).agg("\x1f".join, axis=1)


def _make_strata(labels: pd.Series, parts: int, *, is_regression: bool) -> npt.NDArray[np.str_]:
    """Return what is kept in its share; labels with fewer rows than parts count as one."""
    if is_regression:
        ranks = labels.astype(float).rank(method="first")
        return (ranks * _RANGES / (len(ranks) + 1)).astype(int).astype(str).to_numpy(dtype=np.str_)
    frequent = labels.map(labels.value_counts()) >= parts
    strata = labels.where(frequent, _RARE)
    if (~frequent).sum() < parts:  # too few even together: with the most frequent label
        strata = labels.where(frequent, labels.mode().iloc[0])
    return strata.astype(str).to_numpy(dtype=np.str_)
