"""Scores in a data frame, read as `relevance import` reads a file: `RelevanceMatrix.from_scores`.

>>> import pandas as pd
>>> rows = [("rte", "", 66.0), ("rte", "mnli", 69.3), ("mnli", "", 80.0), ("mnli", "rte", 80.8)]
>>> matrix = matrix_of_scores(pd.DataFrame(rows, columns=["target", "partner", "score"]))
>>> matrix.to_frame().round(3).loc["mnli", "rte"]
np.float64(0.05)
"""

from __future__ import annotations

import pandas as pd

from relevance.imported.imported_scores import ScoreOptions, check_scores
from relevance.imported.score_measurement import measure_scores
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.own_table import Unit


def matrix_of_scores(
    frame: pd.DataFrame,
    *,
    metric: str | None = None,
    unit: Unit = "auto",
    lower_is_better: bool = False,
) -> RelevanceMatrix:
    """Return the gains in a table of scores, with intervals where seeds or dev rows give them.

    Args:
        frame: the columns target, partner (empty or missing: alone) and score, and if known seed,
            metric and n_dev.
        metric: of the targets for which no column names one.
        unit: of the scores: `fraction`, `percent`, or `auto`: percent beyond 1.
        lower_is_better: whether scores are losses or errors.

    Raises:
        InputError: with every problem of the table.
    """
    texts = frame.reset_index(drop=True).astype(object).where(frame.notna().to_numpy(), "")
    texts = texts.map(lambda value: str(value).strip())
    table = check_scores(texts, "the table", ScoreOptions(metric, unit, lower_is_better))
    metrics = {name: found.metric for name, found in table.targets.items()}
    origin = {"kind": "scores", "lower_is_better": lower_is_better, "metrics": metrics}
    return measure_scores(table, {"imported": origin}).matrix
