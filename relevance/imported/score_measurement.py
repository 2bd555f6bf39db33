"""Gains from scores alone, by the engine that measures this package's own sweeps.

    found = measure_scores(read_scores(Path("scores.csv")), origin)
    found.write(output)

Seeds say how noisy scores are; dev rows do where the metric and their number say how
(`analysis.gains.score_draws`). Where neither is known of a target, its gains have no interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.gains.bootstrap import GainBootstrap, bootstrap_targets
from analysis.gains.power import Detection, find_level, tabulate_power
from analysis.gains.score_draws import ArmScores, make_target
from analysis.levels import DRAWS, take_interval
from relevance.imported.imported_scores import ImportedScores
from relevance.pairwise.effects import measure_effects
from relevance.pairwise.gains import tabulate_gain_matrix
from relevance.pairwise.measurement import SweepMeasurement, SweepUncertainty
from relevance.pairwise.sweep_record_format import SCORES
from relevance.pairwise.uncertainty import attach_expected, attach_uncertainty

UNKNOWN = "not known"
"""Whether a target's single runs beat a constant answer, where only scores are there."""


def measure_scores(
    table: ImportedScores, origin: Mapping[str, object], draws: int = DRAWS, seed: int = 0
) -> SweepMeasurement:
    """Measure the gains that a table of scores shows.

    Args:
        origin: what the scores are of, for provenance.
        draws: bootstrap draws.
        seed: their seed.
    """
    targets = table.targets
    n_dev = {name: float(found.n_dev or np.nan) for name, found in targets.items()}
    errors = [name for name, found in targets.items() if found.is_error]
    matrix = tabulate_gain_matrix(tabulate_arms(targets), list(targets), n_dev, origin, errors)
    scores = _name_runs(table.raw)
    if not any(found.has_seed_noise or found.has_row_noise for found in targets.values()):
        return SweepMeasurement(matrix, scores, origin, (), (), (), None)
    found = bootstrap_scores(list(targets.values()), draws, seed)
    whole = attach_expected(attach_uncertainty(matrix, found, {"from": "scores"}), found)
    uncertainty = SweepUncertainty(
        found, describe_score_targets(found), measure_effects(whole, found, None)
    )
    return SweepMeasurement(whole, scores, origin, (), (), (), uncertainty)


def bootstrap_scores(
    targets: Sequence[ArmScores], draws: int = DRAWS, seed: int = 0
) -> GainBootstrap:
    """Return every gain with the uncertainty that scores alone show.

    Targets of which neither seeds nor dev rows say how noisy they are have no draws and no p.
    """
    found = bootstrap_targets([make_target(t, draws, seed) for t in targets], draws, seed)
    known = np.array([t.has_seed_noise or t.has_row_noise for t in targets])
    return found if known.all() else _blank(found, known)


def _blank(found: GainBootstrap, known: npt.NDArray[np.bool_]) -> GainBootstrap:
    """Return a bootstrap without draws and tests of the targets whose noise is not known."""
    return replace(
        found,
        single_draws=np.where(known, found.single_draws, np.nan),
        joint_draws=np.where(known, found.joint_draws, np.nan),
        error=np.where(known, found.error, np.nan),
        df=np.where(known, found.df, np.nan),
        p_values=np.where(known, found.p_values, np.nan),
    )


def tabulate_arms(targets: Mapping[str, ArmScores]) -> pd.DataFrame:
    """Return a row per score as they are measured, the columns of `SCORES`."""
    rows = [
        (name_run(target, partner, seed), target, partner, seed, score)
        for target, found in targets.items()
        for partner, runs in found.arms.items()
        for seed, score in runs.items()
    ]
    return pd.DataFrame(rows, columns=list(SCORES.columns))


def _name_runs(raw: pd.DataFrame) -> pd.DataFrame:
    runs = [name_run(*row) for row in zip(raw["target"], raw["partner"], raw["seed"], strict=True)]
    table = raw.rename(columns={"target": "task"}).assign(run=runs)
    return table[list(SCORES.columns)].reset_index(drop=True)


def name_run(target: str, partner: str, seed: int) -> str:
    """Return a name for a run that was done elsewhere; a pair's two directions have the same.

    >>> name_run("rte", "mnli", 0) == name_run("mnli", "rte", 0), name_run("rte", "", 1)
    (True, 'rte-s1')
    """
    return f"{'+'.join(sorted(filter(None, (target, partner))))}-s{seed}"


def describe_score_targets(found: GainBootstrap) -> pd.DataFrame:
    """Return a row per target, the columns of `relevance.pairwise.sweep_record_format.TARGETS`.

    What a constant answer scores is not known from scores.
    """
    low, _ = take_interval(found.single_draws)
    rows = [
        (task, single, np.nan, bound, UNKNOWN)
        for task, single, bound in zip(found.tasks, found.single, low, strict=True)
    ]
    columns = ["task", "single", "majority", "single_low", "beats"]
    power = tabulate_power(found, Detection(alpha=find_level(found)))
    table = pd.DataFrame(rows, columns=columns).merge(power, on="task")
    return table.assign(n_dev=table["n_dev"].replace(0, np.nan).astype(float))
