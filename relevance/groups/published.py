"""How far groups agree with those that the paper published."""

from __future__ import annotations

from analysis.partitions.agreement import compare_groups
from hmnet.study.hierarchy import Groups
from relevance.matrices.reference import PUBLISHED, load_published_groups

LEAST_COMPARED = 4
"""Below this many tasks, an index says nothing."""


def compare_with_published(groups: Groups) -> dict[str, float]:
    """Return the adjusted Rand index with each of the paper's groupings, by its name.

    The published groups count as far as they hold these tasks; none are compared where a task is
    not the paper's, or there are fewer than `LEAST_COMPARED`.
    """
    tasks = groups.tasks
    if len(tasks) < LEAST_COMPARED or not set(tasks) <= set(
        load_published_groups("manual_design").tasks
    ):
        return {}
    return {
        name: compare_groups(groups, _restrict(load_published_groups(name), tasks))
        for name in PUBLISHED
    }


def _restrict(groups: Groups, tasks: tuple[str, ...]) -> Groups:
    kept = {
        name: tuple(t for t in members if t in tasks) for name, members in groups.groups.items()
    }
    return Groups({name: members for name, members in kept.items() if members})
