"""Tasks trained for few steps: the most frequent reason why a small task learns nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hmnet.jobs.prepared import PreparedStudy
from hmnet.study.own_steps import FEW_STEPS, advise_epochs, count_own_steps


def describe_few_steps(prepared: PreparedStudy) -> Iterator[str]:
    """Yield how many steps the tasks with few of them get, and how they get more."""
    training = prepared.study.training
    rows: Mapping[str, int] = {name: len(data.train) for name, data in prepared.data.items()}
    few = {
        name: steps
        for name, count in rows.items()
        if (steps := count_own_steps(count, training)) < FEW_STEPS
    }
    if few:
        named = ", ".join(f"{name} {steps}" for name, steps in few.items())
        epochs = max(advise_epochs(rows[name], training) for name in few)
        yield (
            f"note: few training steps alone: {named}; a task may learn nothing in so few. "
            f"`--set training.epochs={epochs}` gives each {FEW_STEPS} or more"
        )
