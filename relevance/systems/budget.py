"""What each system of a comparison is given to learn from: epochs, rows and steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hmnet.data.task_data import JUDGED
from hmnet.jobs.prepared import PreparedStudy
from hmnet.training.steps import count_batches
from relevance.systems.systems import System, plan_system


def count_task_steps(prepared: PreparedStudy, system: System) -> dict[str, int]:
    """Return task to the steps that a system trains it for, over all epochs.

    Tasks that are trained together share out their batches by `settings.sampling`; a task that is
    trained by itself has nothing to share.
    """
    steps = {}
    for job in plan_system(prepared, system, prepared.study.seeds[0]):
        sizes = {name: len(prepared.data[name].train) for name in job.spec.names}
        trained = job.spec.training
        counts = count_batches(sizes, trained)
        steps.update({name: trained.epochs * count for name, count in counts.items()})
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
    if any(system.epochs for system in systems):
        return "\n".join(_list_budgets(prepared, systems))
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


def _list_budgets(prepared: PreparedStudy, systems: Sequence[System]) -> Iterator[str]:
    settings = prepared.study.training
    yield (
        "budget: every system is trained on the same rows with the same seeds and heads, in steps "
        f"of at most {settings.batch_size} rows, and some with a number of epochs of their own:"
    )
    for system in systems:
        if len(system.epochs) > 1 and not system.chosen:
            tried = ", ".join(map(str, system.epochs))
            yield f"  {system.name}: the best of {tried} epochs by held-out training rows"
        else:
            yield f"  {system.name}: {_list_steps(count_task_steps(prepared, system))}"


def describe_judged(prepared: PreparedStudy) -> list[str]:
    """Return a line on the training rows that are held out as a further dev split, if there are."""
    rows = [len(data.splits[JUDGED]) for data in prepared.data.values() if JUDGED in data.splits]
    if not rows:
        return []
    return [
        f"judged by dev rows and by {sum(rows):,} training rows that were held out as a further "
        "dev split, on which nothing was trained or chosen"
    ]


def _list_steps(steps: dict[str, int]) -> str:
    shown = ", ".join(f"{name} {count:,}" for name, count in steps.items())
    return f"{sum(steps.values()):,} ({shown})"
