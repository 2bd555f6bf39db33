"""A design's or a screen's matrix of gains, what to do by it, and whether it may be believed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats, Labels
from analysis.gains.additive import Cells
from analysis.guesses.gain_model import Additivity, GainModel
from analysis.levels import SIGNIFICANCE
from analysis.partitions.decision import Decision, decide, improve, weigh
from hmnet.study.hierarchy import name_groups
from relevance.matrices.gain_table import GAINS
from relevance.matrices.matrix import RelevanceMatrix

TRUTHS = 60
"""Draws of the true gains behind what a full sweep could still change."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a model of the gains says is to be done.

    Attributes:
        decision: the groups, beside one group of all and none.
        missed: what the best groups would gain more, on average over what the true gains may be.
        changed: how likely the best groups are others, by more than a hundredth of a point.
    """

    decision: Decision
    missed: float
    changed: float


TOLERANCE = 1e-4
"""Gains that differ by less are the same: a hundredth of a point."""


def judge_model(model: GainModel) -> Verdict:
    """Return the groups to take by a model of the gains, and what is not known of them."""
    decision = decide(model)
    own = weigh(decision.chosen.labels)
    draws = model.sample(TRUTHS, np.random.default_rng(0))
    more = np.array([_find_more(draw, decision.chosen.labels, own) for draw in draws])
    return Verdict(decision, float(more.mean()), float((more > TOLERANCE).mean()))


def _find_more(truth: Floats, labels: Labels, own: Floats) -> float:
    """Return what a search from some groups on, and from none, finds to gain more."""
    starts = (labels, np.arange(len(labels)), np.zeros(len(labels), np.int64))
    best = max(float((weigh(improve(truth, start)) * truth).sum()) for start in starts)
    return max(best - float((own * truth).sum()), 0.0)


def make_matrix(
    model: GainModel,
    tasks: Sequence[str],
    measure: str,
    provenance: Mapping[str, object],
    *,
    knows_all: bool = False,
) -> RelevanceMatrix:
    """Return the gains to be expected, with intervals; NaN where nothing is known of a cell.

    A cell is known where its source was a source, and its target a target, of some run. Further
    columns: `measured` (whether a run had both), `predicted_low` and `predicted_high` (what a run
    of the pair would measure, its noise included).

    Args:
        knows_all: whether cheap measures tell of every cell.
    """
    known = _find_known(model) | knows_all
    np.fill_diagonal(known, True)
    low, high = model.interval()
    ahead = model.interval_of_measured()
    cells = {"ci_low": low, "ci_high": high, "predicted_low": ahead[0], "predicted_high": ahead[1]}
    is_off = ~np.eye(model.size, dtype=bool)
    columns = {name: np.where(known & is_off, each, np.nan) for name, each in cells.items()}
    return RelevanceMatrix.from_array(
        np.where(known, model.mean, np.nan),
        tasks,
        measure,
        {**provenance, "holds": GAINS, "quantile": model.find_quantile()},
        n_seeds=np.where(is_off, model.count_runs(), np.nan),
        measured=model.is_measured.astype(float),
        **columns,
    )


def _find_known(model: GainModel) -> Cells:
    runs = model.count_runs()
    known: Cells = np.outer(runs.sum(axis=1), runs.sum(axis=0)) > 0
    return known


def group_names(labels: Labels, tasks: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return groups of task names, from the largest on."""
    numbers = np.unique(labels).tolist()
    groups = [[t for t, own in zip(tasks, labels, strict=True) if own == n] for n in numbers]
    return dict(name_groups(groups))


def describe_verdict(verdict: Verdict, tasks: Sequence[str]) -> Iterator[str]:
    """Yield the groups, what they should gain, and what a full sweep could still change."""
    chosen = verdict.decision.chosen
    yield (
        f"a task's mean gain in these groups: {100 * chosen.gain:+.1f}% "
        f"[{100 * chosen.low:+.1f}%, {100 * chosen.high:+.1f}%]"
        + "".join(
            f"; {_NAMES[name]} {100 * each.gain:+.1f}%"
            for name, each in verdict.decision.others.items()
            if name in _NAMES
        )
    )
    for name, members in group_names(chosen.labels, tasks).items():
        yield f"{name}: {', '.join(members)}"
    yield (
        f"a full sweep would find other groups with a probability of {verdict.changed:.0%}; they "
        f"would gain {100 * verdict.missed:.2f} points more on average"
    )


_NAMES = {"alone": "alone", "all": "all together"}


def describe_additivity(found: Additivity) -> Iterator[str]:
    """Yield whether runs of three tasks and more are what their pairs average to."""
    if math.isnan(found.p_value):
        return
    told = f"lack of fit {100 * found.lack_of_fit:.2f} points, p = {found.p_value:.3f}"
    if found.p_value < SIGNIFICANCE:
        yield (
            f"a task's gains do not add up in larger runs ({told}): this design must not be "
            "believed. Measure pairs: --design pairs, or --screen."
        )
    else:
        yield f"no sign that a task's gains do not add up in larger runs ({told})"
