"""What each system of a comparison is given to learn from: epochs, rows and steps."""

from __future__ import annotations

from collections.abc import Sequence

from hmnet.jobs.prepared import PreparedStudy
from hmnet.training.steps import count_batches
from relevance.systems.systems import System, plan_system


def count_task_steps(prepared: PreparedStudy, system: System) -> dict[str, int]:
    """Return task to the steps that a system trains it for, over all epochs.

    Tasks that are trained together share out their batches by `settings.sampling`; a task that is
    trained by itself has nothing to share.
    """
    settings = prepared.study.training
    steps = {}
    for job in plan_system(prepared, system, prepared.study.seeds[0]):
        sizes = {name: len(prepared.data[name].train) for name in job.spec.names}
        counts = count_batches(sizes, settings)
        steps.update({name: settings.epochs * count for name, count in counts.items()})
    return {name: steps[name] for name in prepared.study.tasks}


def describe_budget(prepared: PreparedStudy, systems: Sequence[System]) -> str:
    """Return what the systems were given: one sentence where it is the same for all."""
    settings = prepared.study.training
    rows = sum(len(data.train) for data in prepared.data.values())
    given = (
        f"{settings.epochs} epochs over the same {rows:,} rows of {len(prepared.data)} tasks"
        + ("" if settings.sampling == "proportional" else f", sampling {settings.sampling}")
    )
    names: dict[tuple[tuple[str, int], ...], list[str]] = {}
    for system in systems:
        steps = tuple(count_task_steps(prepared, system).items())
        names.setdefault(steps, []).append(system.name)
    if len(names) == 1:
        total = sum(count for _, count in next(iter(names)))
        return (
            f"equal budget: every system is trained for {given}, {total:,} steps of at most "
            f"{settings.batch_size} rows, with the same seeds, batches and heads"
        )
    return "\n".join(
        [
            f"unequal budget: every system is trained for {given}, with the same seeds and heads, "
            "but tasks that are trained together share out their batches. Steps of at most "
            f"{settings.batch_size} rows:",
            *(f"  {', '.join(found)}: {_list_steps(dict(key))}" for key, found in names.items()),
        ]
    )


def _list_steps(steps: dict[str, int]) -> str:
    shown = ", ".join(f"{name} {count:,}" for name, count in steps.items())
    return f"{sum(steps.values()):,} ({shown})"
