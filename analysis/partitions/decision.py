"""Which tasks to train together: the partition with the highest gain to be expected.

Candidates are all partitions, one group of all tasks and no groups at all among them, and none has
an advantage. A partition's gain is the mean over tasks of what each gains from its group's others
on average, 0 where it is alone; its expectation is taken over what the data say of the true gains
(`analysis.gains.posterior`), so that what noise alone makes large counts for little. The loss of
being wrong is the gain that is missed: what another partition has more, on average over the cases
in which it has more.

Legend: T tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import stats

from analysis.arrays import Floats, Labels
from analysis.levels import INTERVAL_LEVEL
from analysis.partitions.exact import solve_sets, trace_partition, value_sets
from analysis.partitions.per_draw import measure_gain

MOST_EXACT = 14
"""Most tasks whose partitions are all looked at; of more, the best that moves of one task find."""


class Posterior(Protocol):
    """What is known of the true gains (`analysis.gains.posterior`, `analysis.guesses`).

    Attributes:
        mean: the gains to be expected, [T, T], the diagonal 0.
    """

    mean: Floats

    def expect(self, weights: Floats) -> tuple[float, float]:
        """Return mean and standard deviation of a weighted sum of gains, [T, T]."""


@dataclass(frozen=True, eq=False)
class Expectation:
    """What a partition is expected to gain.

    Attributes:
        labels: its groups, [T].
        gain: expected mean gain of a task.
        low, high: the gain's 95 % interval.
    """

    labels: Labels
    gain: float
    low: float
    high: float

    @property
    def groups(self) -> int:
        """The number of groups."""
        return len(np.unique(self.labels))


@dataclass(frozen=True, eq=False)
class Decision:
    """The partition to take, and what speaks for it.

    Attributes:
        chosen: the best of all.
        others: name to expectation of those it was compared with: `all`, `alone`, and given ones.
        odds: name of another to the probability that the chosen one gains at least as much.
        missed: name of another to the gain that is missed on average by not taking it.
    """

    chosen: Expectation
    others: Mapping[str, Expectation]
    odds: Mapping[str, float]
    missed: Mapping[str, float]

    @property
    def verdict(self) -> str:
        """`alone`, `all` or `groups`."""
        count = self.chosen.groups
        return "all" if count == 1 else "alone" if count == len(self.chosen.labels) else "groups"


def decide(
    posterior: Posterior,
    candidates: Mapping[str, Labels] | None = None,
    *,
    searches: bool = True,
) -> Decision:
    """Return the partition with the highest expected gain.

    Args:
        candidates: further partitions to compare with, by name, [T] each.
        searches: look at all partitions; else at one group of all, at none, and at candidates.
    """
    size = len(posterior.mean)
    given = {
        "alone": np.arange(size),  # first: of those that gain the same, it is taken
        "all": np.zeros(size, dtype=np.int64),
        **(candidates or {}),
    }
    others = {name: expect(posterior, labels) for name, labels in given.items()}
    found = list(others.values())
    if searches:
        found.append(expect(posterior, search(posterior.mean, given.values())))
    # of those that gain the same, the one that needs the least evidence
    chosen = max(found, key=lambda each: round(each.gain, 9))
    compared = {n: _compare(posterior, chosen.labels, each.labels) for n, each in others.items()}
    return Decision(
        chosen,
        others,
        {name: odds for name, (odds, _) in compared.items()},
        {name: missed for name, (_, missed) in compared.items()},
    )


def expect(posterior: Posterior, labels: Labels) -> Expectation:
    """Return what a partition, [T], is expected to gain."""
    mean, deviation = posterior.expect(weigh(labels))
    margin = float(stats.norm.ppf(0.5 + INTERVAL_LEVEL / 2)) * deviation
    return Expectation(labels, mean, mean - margin, mean + margin)


def weigh(labels: Labels) -> Floats:
    """Return each cell's weight in a partition's mean gain of a task, [T, T]."""
    size = len(labels)
    inside = (labels[:, None] == labels[None, :]) & ~np.eye(size, dtype=bool)
    return inside / np.maximum(inside.sum(axis=0), 1) / size


def _compare(posterior: Posterior, chosen: Labels, other: Labels) -> tuple[float, float]:
    """Return the odds that `chosen` gains at least as much, and what is missed on average."""
    mean, deviation = posterior.expect(weigh(chosen) - weigh(other))
    if deviation == 0:
        return float(mean >= 0), max(-mean, 0.0)
    z = mean / deviation
    missed = deviation * float(stats.norm.pdf(z)) - mean * float(stats.norm.cdf(-z))
    return float(stats.norm.cdf(z)), max(missed, 0.0)


def search(gains: Floats, starts: Iterable[Labels]) -> Labels:
    """Return the partition with the highest gain, [T].

    Args:
        gains: [T, T], finite, the diagonal 0.
        starts: partitions from which a search that cannot look at all of them begins.
    """
    if len(gains) <= MOST_EXACT:
        return _search_all(gains)
    found = [improve(gains, labels) for labels in starts]
    return max(found, key=lambda labels: float(measure_gain(gains, labels)))


def _search_all(gains: Floats) -> Labels:
    values = value_sets(gains)
    best = solve_sets(values, len(gains))
    k = int(np.argmax(best[-1, 1:])) + 1
    labels = np.zeros(len(gains), dtype=np.int64)
    for number, tasks in enumerate(trace_partition(values, best, k)):
        labels[[task for task in range(len(gains)) if tasks >> task & 1]] = number
    return labels


def improve(gains: Floats, labels: Labels) -> Labels:
    """Move single tasks to the group, or to one of their own, that gains most, until none does."""
    labels = labels.copy()
    gains = np.where(np.eye(len(gains), dtype=bool), 0.0, gains)
    while True:
        labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
        rise = _value_moves(gains, labels)
        task, group = np.unravel_index(int(rise.argmax()), rise.shape)
        if rise[task, group] <= 1e-12:
            return labels
        labels[task] = group


def _value_moves(gains: Floats, labels: Labels) -> Floats:
    """Return what the moves of single tasks add to the gain, [T, K + 1]; the last group is new.

    Of a group with members G, w is the sum of all gains within, and the gain w / (|G| - 1). A task
    that joins it adds to w what it gains from the members and what they gain from it.
    """
    members = np.eye(int(labels.max()) + 2)[labels]  # [T, K + 1]
    size, place = members.sum(axis=0), np.arange(len(labels))
    with_task = gains.T @ members + gains @ members
    within = (with_task * members).sum(axis=0) / 2
    own = size[labels]
    left = (within[labels] - with_task[place, labels]) / np.maximum(own - 2, 1)
    left -= within[labels] / np.maximum(own - 1, 1)
    joined = (within + with_task) / np.maximum(size, 1) - within / np.maximum(size - 1, 1)
    rise: Floats = left[:, None] + joined
    rise[place, labels] = 0.0
    return rise
