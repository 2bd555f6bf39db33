"""The order of tasks in tables and figures: as the study lists them, or group by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hmnet.study.hierarchy import Groups


@dataclass(frozen=True)
class TaskOrder:
    """Tasks in an order, cut into runs that belong together.

    Attributes:
        tasks: task names.
        sections: number of the section (group) of each task; equal numbers are neighbours.
        labels: name of each section.
    """

    tasks: tuple[str, ...]
    sections: tuple[int, ...]
    labels: tuple[str, ...]

    @property
    def boundaries(self) -> tuple[int, ...]:
        """Positions before which a new section begins."""
        return tuple(
            i for i in range(1, len(self.tasks)) if self.sections[i] != self.sections[i - 1]
        )

    def section_of(self, task: str) -> int:
        """Return the number of a task's section."""
        return self.sections[self.tasks.index(task)]


def order_tasks(tasks: Sequence[str], groups: Groups | None) -> TaskOrder:
    """Return the tasks group by group; tasks in no group come last.

    Args:
        groups: None keeps the order given, as one section.
    """
    if groups is None:
        return TaskOrder(tuple(tasks), (0,) * len(tasks), ("",))
    sections = [[task for task in members if task in tasks] for members in groups.groups.values()]
    named = dict(zip(groups.groups, sections, strict=True))
    named["in no group"] = [task for task in tasks if task not in groups.tasks]
    kept = {name: members for name, members in named.items() if members}
    return TaskOrder(
        tuple(task for members in kept.values() for task in members),
        tuple(i for i, members in enumerate(kept.values()) for _ in members),
        tuple(kept),
    )
