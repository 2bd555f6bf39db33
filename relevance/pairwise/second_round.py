"""The second round of a sweep: more seeds, only where they may change a decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.gains.bootstrap import GainBootstrap
from analysis.gains.seed_value import ExtraRuns, plan_refinement
from hmnet.errors import InputError

BUDGET = 40
"""Further runs, where no other number is asked for."""
PLANNING_DRAWS = 400
"""Bootstrap draws behind a plan: fewer than behind an interval."""
MOST_LINES = 8


def check_budget(budget: int) -> None:
    """Raise an `InputError` unless a budget of further runs is positive."""
    if budget < 1:
        raise InputError(f"Parameter `budget` should be at least 1. Found `{budget}`.")


def plan_extra(found: GainBootstrap, budget: int) -> list[ExtraRuns]:
    """Return the further runs that are worth most.

    Raises:
        InputError: if every run has one seed alone, so that seed noise is not known.
    """
    if not found.has_seed_noise.any():
        raise InputError(
            "Parameter `refine` should follow a first round with two seeds or more of some runs. "
            "Found one of each: how much seeds matter is not known; give --seeds 3."
        )
    return plan_refinement(found, budget)


def describe_extra(extra: Sequence[ExtraRuns]) -> Iterator[str]:
    """Yield which runs get more seeds, and what that is expected to save."""
    if not extra:
        yield "no further seed is likely to change a decision"
        return
    yield f"{sum(entry.seeds for entry in extra)} further runs where they may change a decision:"
    for entry in extra[:MOST_LINES]:
        seeds = "1 seed" if entry.seeds == 1 else f"{entry.seeds} seeds"
        yield (
            f"  {' with '.join(entry.tasks)}: {seeds}, expected to save "
            f"{100 * entry.value:.3f} points"
        )
    if len(extra) > MOST_LINES:
        yield f"  and {len(extra) - MOST_LINES} more"
