"""Manual design: tasks of one purpose are relevant to each other (paper, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hmnet.study.hierarchy import Groups
from hmnet.study.tasks import Task
from relevance.matrices.matrix import RelevanceMatrix


def make_manual_matrix(tasks: Iterable[Task]) -> RelevanceMatrix:
    """Return 1 where source and target have the same `Task.category`, else 0; shape [T, T]."""
    tasks = tuple(tasks)
    categories = np.array([task.category for task in tasks], dtype=object)
    values = categories[:, None] == categories[None, :]
    provenance = {"categories": {task.name: task.category for task in tasks}}
    return RelevanceMatrix.from_array(values, [task.name for task in tasks], "manual", provenance)


def make_manual_groups(tasks: Iterable[Task]) -> Groups:
    """Return a group per `Task.category`, named by it, in the order of the tasks."""
    groups: dict[str, tuple[str, ...]] = {}
    for task in tasks:
        groups[task.category] = (*groups.get(task.category, ()), task.name)
    return Groups(groups, {"method": "manual", "k": len(groups)})
