"""The uncertainty of a sweep's gains as columns of its matrix, and what is known of each target.

to_matrix(bootstrap_gains(predictions))      # the bootstrap's own gains as a matrix
attach_uncertainty(matrix, found)            # to a matrix of gains from the runs' scores
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.arrays import Floats
from analysis.gains.bootstrap import GainBootstrap
from analysis.gains.flags import compare_with_majority
from analysis.gains.power import Detection, find_level, tabulate_power
from analysis.gains.scales import Scale
from analysis.levels import INTERVAL_LEVEL
from analysis.scores.predictions import Predictions
from relevance.matrices.matrix import RelevanceMatrix


def to_matrix(
    found: GainBootstrap,
    scale: Scale = "relative",
    level: float = INTERVAL_LEVEL,
    provenance: Mapping[str, object] | None = None,
) -> RelevanceMatrix:
    """Return the gains with intervals, p and q as a relevance matrix.

    The provenance says how the uncertainty was computed; `seed_noise_included` is false where
    an interval lacks seed noise, because its target has no arm with two runs.
    """
    low, high = found.interval(scale, level)
    columns = {
        "ci_low": low,
        "ci_high": high,
        **_list_tests(found),
        "n_dev": np.tile(found.n_dev.astype(np.float64), (len(found.tasks), 1)),
        "n_seeds": _blank_diagonal(found.n_joint),
    }
    provenance = {
        **(provenance or {}),
        "scale": scale,
        "bootstrap": describe_bootstrap(found, level),
    }
    return RelevanceMatrix.from_array(
        found.gains(scale), found.tasks, "pairwise", provenance, **columns
    )


def describe_bootstrap(found: GainBootstrap, level: float = INTERVAL_LEVEL) -> dict[str, object]:
    """Return how the uncertainty was computed, for a matrix's provenance."""
    is_run = ~np.isnan(found.joint)
    return {
        **found.settings,
        "level": level,
        "seed_noise_included": bool(found.has_seed_noise[is_run].all()),
    }


def _list_tests(found: GainBootstrap) -> dict[str, Floats]:
    """Return the columns that are the same on every scale, [T, T] each."""
    singles = np.tile(found.n_single, (len(found.tasks), 1))
    return {
        "p_value": found.p_values,
        "q_value": found.q_values(),
        "n_single_seeds": _blank_diagonal(singles),
    }


def _blank_diagonal(values: npt.NDArray[np.int64]) -> Floats:
    blanked = values.astype(np.float64)
    np.fill_diagonal(blanked, np.nan)
    return blanked


def attach_uncertainty(
    matrix: RelevanceMatrix, found: GainBootstrap, more: Mapping[str, object] | None = None
) -> RelevanceMatrix:
    """Return a matrix of gains with the uncertainty that was found for its cells.

    Added columns: `n_single_seeds`; the gain in `points` and as share of the `headroom`, each with
    `_low` and `_high`. Cells that the bootstrap does not hold stay empty.

    Args:
        more: further settings for the provenance.
    """
    columns = {
        name: _spread(values, found.tasks, matrix.tasks)
        for name, values in list_columns(found).items()
    }
    settings = {**describe_bootstrap(found), **(more or {})}
    return RelevanceMatrix.from_array(
        matrix.to_frame().to_numpy(),
        matrix.tasks,
        matrix.measure,
        {**matrix.provenance, "bootstrap": settings},
        n_dev=matrix.to_frame("n_dev").to_numpy(),
        n_seeds=matrix.to_frame("n_seeds").to_numpy(),
        **columns,
    )


def mark_undefined(matrix: RelevanceMatrix, targets: Iterable[str]) -> RelevanceMatrix:
    """Return the matrix with a column `undefined`: whether a gain is over nothing learned."""
    table = matrix.table
    is_undefined = table["target"].isin(list(targets)) & (table["source"] != table["target"])
    return RelevanceMatrix(
        table.assign(undefined=is_undefined), matrix.measure, dict(matrix.provenance)
    )


def list_columns(found: GainBootstrap) -> dict[str, Floats]:
    """Return every column of uncertainty, [T, T] each, in the bootstrap's order of tasks."""
    low, high = found.interval("relative")
    columns = {"ci_low": low, "ci_high": high, **_list_tests(found)}
    for scale in ("points", "headroom"):
        low, high = found.interval(scale)
        columns |= {scale: found.gains(scale), f"{scale}_low": low, f"{scale}_high": high}
    return columns


def _spread(values: Floats, own: tuple[str, ...], tasks: tuple[str, ...]) -> Floats:
    """Return values of some tasks in a table of all, [T, T]."""
    frame = pd.DataFrame(values, index=list(own), columns=list(own))
    return frame.reindex(index=list(tasks), columns=list(tasks)).to_numpy()


def describe_targets(predictions: Mapping[str, Predictions], found: GainBootstrap) -> pd.DataFrame:
    """Return a row per target: `compare_with_majority`'s columns, then `tabulate_power`'s.

    Detectable is what would be significant after the correction for all cells.
    """
    power = tabulate_power(found, Detection(alpha=find_level(found)))
    return compare_with_majority(predictions, found).merge(power, on="task")
