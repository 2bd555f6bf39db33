"""What measured gains advise: train all tasks together, each alone, or which in groups.

The answer of `relevance cluster --k auto` on gains, of groups.json that it writes, and of the
report that reads it: the partition with the highest gain to be expected
(`analysis.partitions.decision`), whichever number of groups it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from analysis.arrays import Floats, Labels
from analysis.gains.posterior import LEAST_DRAWS, GainPosterior
from analysis.partitions.decision import Decision, Expectation, decide
from analysis.partitions.per_draw import cluster_for_each
from analysis.partitions.promise import state_decision
from hmnet.study.hierarchy import Groups, name_groups
from relevance.groups.partition import read_values
from relevance.matrices.gain_table import tabulate_gains
from relevance.matrices.matrix import RelevanceMatrix

EXPECTED = "expected"
"""The method of groups that are chosen for their expected gain."""
_SAME = 1e-6
GIVEN = "given"
"""The name of a partition that a decision is asked to compare with."""


def knows_noise(matrix: RelevanceMatrix, draws: Floats | None) -> bool:
    """Tell whether draws, [B, T, T], say how noisy gains are: examples and seeds alike."""
    has_seeds = matrix.has_seed_noise is not False
    return draws is not None and has_seeds and len(draws) >= LEAST_DRAWS


def advise(
    matrix: RelevanceMatrix,
    draws: Floats | None,
    method: str = EXPECTED,
    seed: int = 0,
    *,
    given: Labels | None = None,
) -> Decision:
    """Return the partition of a matrix's tasks to take.

    Args:
        matrix: gains, none missing off the diagonal.
        draws: the matrix in every bootstrap draw, [B, T, T].
        method: `expected` for the best of all partitions; another one for the best of those that
            it gives for each number of groups, with all together and alone.
        given: a partition to compare with, [T]; `given` in the decision.

    Raises:
        InputError: for missing gains, with the cells' names, or an unknown method.
    """
    whole = read_values(matrix, diagonal=False)
    values, searches = leave_out_void(matrix, whole), method == EXPECTED
    candidates: Mapping[str, Labels] = {} if given is None else {GIVEN: given}
    if not searches:
        candidates = _list_candidates(whole, method, seed)
    if draws is None or not knows_noise(matrix, draws):
        return decide(GainPosterior.of_unknown_noise(values), candidates, searches=searches)
    decision = decide(GainPosterior.of(values, draws), candidates, searches=searches)
    return state_decision(decision, values, draws)


def list_void(matrix: RelevanceMatrix) -> list[str]:
    """Return the targets that learned nothing alone: gains over that say nothing."""
    return tabulate_gains(matrix).unlearned


def describe_void(matrix: RelevanceMatrix) -> Iterator[str]:
    """Yield which targets' gains are not counted."""
    void = list_void(matrix)
    if len(void) == len(matrix.tasks):
        yield "warning: no task learned anything alone: gains over that say nothing"
    elif void:
        yield (
            f"learned nothing alone: {', '.join(void)}; gains over that say nothing, so what they "
            "gain is taken for what others do"
        )


def leave_out_void(matrix: RelevanceMatrix, values: Floats) -> Floats:
    """Return gains, [T, T], NaN for targets whose gains say nothing, unless all do."""
    void = np.isin(matrix.tasks, list_void(matrix))
    if void.all():
        return values
    away = ~np.eye(len(values), dtype=bool)
    return np.where(void & away, np.nan, values)


def _list_candidates(values: Floats, method: str, seed: int) -> Mapping[str, Labels]:
    ks = range(2, len(values))
    found = cluster_for_each(values[None], ks, method, seed) if len(ks) else {}
    return {f"{k} groups": labels[0] for k, labels in found.items()}


def to_groups(decision: Decision, matrix: RelevanceMatrix, method: str) -> Groups:
    """Return the groups of a decision; their origin says what speaks for them."""
    labels = decision.chosen.labels
    members = [
        [matrix.tasks[i] for i in np.flatnonzero(labels == label)] for label in np.unique(labels)
    ]
    origin = {
        "method": method,
        "k": decision.chosen.groups,
        "measure": matrix.measure,
        "matrix": matrix.identity,
        "decision": _to_origin(decision),
    }
    return Groups(name_groups(members), origin)


def _to_origin(decision: Decision) -> dict[str, object]:
    return {
        "verdict": decision.verdict,
        **_to_row(decision.chosen),
        "others": {
            name: {
                **_to_row(each),
                "odds": decision.odds[name],
                "missed": decision.missed[name],
            }
            for name, each in decision.others.items()
            if name in ("all", "alone")
        },
    }


def loses_to_other(decision: Decision) -> bool:
    """Tell whether other groups than the given ones are expected to gain more."""
    return decision.chosen.gain > decision.others[GIVEN].gain + 1e-9


def to_beside(decision: Decision) -> dict[str, object]:
    """Return what given groups are expected to gain, and what the best ones are, for an origin."""
    given, chosen = decision.others[GIVEN], decision.chosen
    if not loses_to_other(decision):
        chosen = given
    best = {"verdict": decision.verdict, "k": chosen.groups, **_to_row(chosen)}
    return {"given": _to_row(given), "best": best}


def _to_row(each: Expectation) -> dict[str, float]:
    return {"gain": each.gain, "low": each.low, "high": each.high}


def describe_advice(decision: Decision, *, knows_noise: bool) -> Iterator[str]:
    """Yield what to do, what speaks for it, and how sure that is."""
    chosen, alone, together = decision.chosen, decision.others["alone"], decision.others["all"]
    if decision.verdict == "alone":
        yield (
            "no evidence for sharing: train each task alone; in one group of all, a task would be "
            f"expected to gain {_format(together)}"
        )
    else:
        what = "share all" if decision.verdict == "all" else f"{chosen.groups} groups"
        doubt = "" if chosen.low > alone.gain else _describe_doubt(together)
        rest = "" if decision.verdict == "all" else f", in one group of all {_format(together)}"
        yield f"{doubt}{what}: a task is expected to gain {_format(chosen)}{rest}, alone 0"
        yield _describe_risk(decision)
    if not knows_noise:
        yield (
            "how noisy these gains are is not known (it takes dev predictions of two seeds or "
            f"more, and {LEAST_DRAWS} draws): all that differs between them may be noise, so their "
            "mean alone decides"
        )


def is_worth_it(decision: Decision | None) -> bool:
    """Tell whether groups that were chosen for their gain surely gain, whichever they are."""
    return decision is not None and GIVEN not in decision.others and decision.chosen.low > 0


def _describe_doubt(together: Expectation) -> str:
    """Return what an answer opens with whose interval reaches below training alone."""
    if together.low > 0:
        return "warning: sharing helps, but there is little evidence for these groups: "
    return "warning: little evidence for sharing: "


def _describe_risk(decision: Decision) -> str:
    names = {"alone": "training alone", "all": "one group of all"}
    parts = [
        f"{names[name]} ({1 - decision.odds[name]:.0%} likely to be better, "
        f"{decision.missed[name]:.2%} missed on average)"
        for name in ("alone", "all")
        if not np.array_equal(decision.others[name].labels, decision.chosen.labels)
    ]
    return f"what else it could be: {'; '.join(parts)}"


def _format(each: Expectation) -> str:
    if each.high - each.low < _SAME:  # nothing is known of how sure it is, or all of it
        return f"{each.gain:+.1%}"
    return f"{each.gain:+.1%} ({each.low:+.1%} to {each.high:+.1%})"


def describe_other(decision: Decision) -> Iterator[str]:
    """Yield what the groups to be expected best would gain beside given ones, if it is more."""
    given = decision.others[GIVEN]
    if not loses_to_other(decision):
        return
    names = {"all": "one group of all", "alone": "each task alone"}
    better = names.get(decision.verdict, f"{decision.chosen.groups} other groups")
    yield (
        f"{better} would be expected to gain {_format(decision.chosen)} a task, these groups "
        f"{_format(given)}: --k auto"
    )
