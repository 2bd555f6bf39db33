"""The matrix of a sweep with its uncertainty, and what stands beside it.

    measure = make_measure(say=print)
    run_sweep(output, study, workers, measure=measure)     # relevance.pairwise.sweep

The values stay those of equations 3-4, from the runs' scores; intervals, p and q come from the
runs' dev predictions (`analysis.gains.bootstrap`). Beside the matrix are written: the collapsed
runs, what is known of each target, the decomposition into sources and targets, and the additive
baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.arrays import Floats
from analysis.gains.bootstrap import GainBootstrap, bootstrap_gains
from analysis.gains.flags import compare_with_majority
from analysis.gains.power import Detection, find_level, tabulate_power
from analysis.gains.scales import Scale
from analysis.levels import DRAWS, INTERVAL_LEVEL
from analysis.scores.collapse import CollapsedRun, find_collapsed, tabulate_collapsed
from analysis.scores.predictions import Predictions
from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import PreparedStudy
from hmnet.storage.tables import write_table
from relevance.matrices.draws import write_draws
from relevance.matrices.matrix import RelevanceMatrix
from relevance.pairwise.effects import write_effects
from relevance.pairwise.gains import measure_gains
from relevance.pairwise.plan import PairwisePlan
from relevance.pairwise.results import read_losses, read_predictions, read_results, tabulate_scores
from relevance.pairwise.sweep import Measure
from relevance.pairwise.sweep_record_format import COLLAPSED, TARGETS
from relevance.pairwise.text import (
    describe_collapsed,
    describe_majority,
    describe_seeds,
    describe_significant,
    describe_unread,
)

Say: TypeAlias = Callable[[str], None]


def make_measure(
    say: Say = print, *, drop_collapsed: bool = False, draws: int = DRAWS, seed: int = 0
) -> Measure:
    """Return what computes a sweep's matrix with its uncertainty, for `run_sweep`.

    Args:
        say: told in sentences what can be relied on.
        drop_collapsed: leave collapsed runs out of means and intervals; which ones is said and
            recorded.
        draws: bootstrap draws.
        seed: their seed.
    """

    def measure(
        prepared: PreparedStudy, plan: PairwisePlan, output: Output
    ) -> tuple[RelevanceMatrix, pd.DataFrame]:
        scores = tabulate_scores(plan, read_results(plan, output.runs))
        predictions = read_predictions(plan, output.runs)
        collapsed = _find_all_collapsed(plan, predictions, output)
        dropped = _choose_dropped(collapsed, predictions) if drop_collapsed else []
        kept = _drop(predictions, dropped)
        matrix = measure_gains(_drop_scores(scores, dropped), prepared)
        write_table(output.collapsed, _mark(collapsed, dropped), COLLAPSED.schema, {})
        for line in (*describe_unread(plan, kept), *describe_collapsed(collapsed, dropped)):
            say(line)
        if len(kept) < 2:
            return matrix, scores
        found = bootstrap_gains(kept, draws, seed)
        matrix = attach(matrix, found, {"dropped": _name_dropped(dropped)} if dropped else {})
        targets = describe_targets(kept, found)
        matrix = mark_undefined(matrix, targets.loc[targets["beats"] == "no", "task"])
        write_table(output.targets, targets, TARGETS.schema, {"matrix": matrix.identity})
        write_draws(output.draws, matrix, found)
        for line in (
            *describe_significant(matrix),
            *describe_majority(targets),
            *describe_seeds(found),
            *write_effects(output, prepared, matrix, found),
        ):
            say(line)
        return matrix, scores

    return measure


def to_matrix(
    found: GainBootstrap,
    scale: Scale = "relative",
    level: float = INTERVAL_LEVEL,
    provenance: Mapping[str, Any] | None = None,
) -> RelevanceMatrix:
    """Return the gains with intervals, p and q as a relevance matrix.

    The provenance says how the uncertainty was computed; `seed_noise_included` is false where
    an interval lacks seed noise, because its target has no arm with two runs.
    """
    low, high = found.interval(scale, level)
    is_run = ~np.isnan(found.joint)
    columns = {
        "ci_low": low,
        "ci_high": high,
        "p_value": found.p_values,
        "q_value": found.q_values(),
        "n_dev": np.tile(found.n_dev.astype(np.float64), (len(found.tasks), 1)),
        "n_seeds": _blank_diagonal(found.n_joint.astype(np.float64)),
        "n_single_seeds": _blank_diagonal(np.tile(found.n_single, (len(found.tasks), 1))),
    }
    settings = {
        **found.settings,
        "level": level,
        "seed_noise_included": bool(found.has_seed_noise[is_run].all()),
    }
    return RelevanceMatrix.from_array(
        found.gains(scale),
        found.tasks,
        "pairwise",
        {**(provenance or {}), "scale": scale, "bootstrap": settings},
        **columns,
    )


def _blank_diagonal(values: npt.NDArray[Any]) -> Floats:
    blanked = values.astype(np.float64)
    np.fill_diagonal(blanked, np.nan)
    return blanked


def attach(
    matrix: RelevanceMatrix, found: GainBootstrap, more: Mapping[str, Any] | None = None
) -> RelevanceMatrix:
    """Return a matrix of gains with the uncertainty that was found for its cells.

    Added columns: `n_single_seeds`; the gain in `points` and as share of the `headroom`, each with
    `_low` and `_high`. Cells that the bootstrap does not hold stay empty.
    """
    columns = {
        name: _spread(values, found.tasks, matrix.tasks)
        for name, values in list_columns(found).items()
    }
    settings = {**to_matrix(found).provenance["bootstrap"], **(more or {})}
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
    columns = {"ci_low": low, "ci_high": high}
    columns |= {"p_value": found.p_values, "q_value": found.q_values()}
    singles = np.tile(found.n_single.astype(np.float64), (len(found.tasks), 1))
    np.fill_diagonal(singles, np.nan)
    columns["n_single_seeds"] = singles
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


def _find_all_collapsed(
    plan: PairwisePlan, predictions: Mapping[str, Predictions], output: Output
) -> list[CollapsedRun]:
    losses = read_losses(plan, output.runs)
    return [run for task, p in predictions.items() for run in find_collapsed(p, losses[task])]


def _choose_dropped(
    collapsed: Iterable[CollapsedRun], predictions: Mapping[str, Predictions]
) -> list[CollapsedRun]:
    """Return the collapsed runs without which every task still has a single run."""
    runs = list(collapsed)
    alone = {
        task
        for task, found in predictions.items()
        if {r.seed for r in runs if (r.task, r.partner) == (task, "")} >= set(found.single.seeds)
    }
    return [run for run in runs if run.partner or run.task not in alone]


def _drop(
    predictions: Mapping[str, Predictions], dropped: Iterable[CollapsedRun]
) -> dict[str, Predictions]:
    gone: dict[str, list[tuple[str, int]]] = {}
    for run in dropped:
        gone.setdefault(run.task, []).append((run.partner, run.seed))
    return {
        task: found.drop(gone[task]) if task in gone else found
        for task, found in predictions.items()
    }


def _drop_scores(scores: pd.DataFrame, dropped: Iterable[CollapsedRun]) -> pd.DataFrame:
    gone = {(run.task, run.partner, run.seed) for run in dropped}
    rows = zip(scores["task"], scores["partner"], scores["seed"], strict=True)
    return scores[np.array([row not in gone for row in rows], dtype=bool)]


def _mark(collapsed: Iterable[CollapsedRun], dropped: Iterable[CollapsedRun]) -> pd.DataFrame:
    """Return the table of collapsed runs; `in_means` says whether a run still counts."""
    runs, gone = list(collapsed), set(dropped)
    return tabulate_collapsed(runs).assign(in_means=[run not in gone for run in runs])


def _name_dropped(dropped: Iterable[CollapsedRun]) -> list[list[Any]]:
    return [[run.task, run.partner, run.seed] for run in dropped]
