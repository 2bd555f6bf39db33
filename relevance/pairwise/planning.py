"""What a study will cost and what it will be able to tell: `relevance plan`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.gains.bootstrap import GainBootstrap, bootstrap_gains
from analysis.gains.power import (
    POWER,
    Detection,
    find_level,
    split_budget,
    tabulate_power,
    tabulate_prior_power,
)
from analysis.scores.predictions import collect_sweep
from hmnet.runs.store import RunStore
from relevance.pairwise.gains import count_dev
from relevance.pairwise.plan import PairwisePlan
from relevance.pairwise.results import read_stored
from relevance.pairwise.second_round import BUDGET, PLANNING_DRAWS, describe_extra, plan_extra

if TYPE_CHECKING:
    from hmnet.jobs.prepared import PreparedStudy


def describe_outlook(
    prepared: PreparedStudy,
    plan: PairwisePlan,
    found: GainBootstrap | None,
    budget: int | None = None,
) -> Iterator[str]:
    """Yield what gains a sweep can detect, and the best split of a budget of runs.

    After a first round, what was measured takes the place of what is expected, and the runs are
    named that deserve more seeds.

    Args:
        found: the first round; None before there is one.
        budget: number of runs to split; None for that of the plan (and `BUDGET` further ones).
    """
    yield from describe_power(prepared, plan, found)
    yield from describe_split(len(plan.tasks), budget or len(plan.jobs))
    if found is not None and found.has_seed_noise.any():
        yield from describe_extra(plan_extra(found, budget or BUDGET))


def read_round(plan: PairwisePlan, store: RunStore) -> GainBootstrap | None:
    """Return what finished runs show, None before there are any two arms to compare."""
    predictions = collect_sweep(read_stored(plan, store))
    has_pairs = any(found.joint for found in predictions.values())
    return bootstrap_gains(predictions, PLANNING_DRAWS) if has_pairs else None


def describe_power(
    prepared: PreparedStudy, plan: PairwisePlan, found: GainBootstrap | None
) -> Iterator[str]:
    """Yield the table of the smallest gains that can be detected, in points."""
    table = tabulate_expected(prepared, plan)
    source = "expected from published fine-tuning runs"
    if found is not None and found.has_seed_noise.any():
        table = _relate_errors(tabulate_power(found, Detection(alpha=find_level(found))), found)
        source = "measured in the runs so far, after correction for all cells"
    shown = table.assign(
        **{name: 100 * table[name] for name in ("seed_sd", "detectable", "per_example")}
    )
    shown = shown.rename(columns={"per_example": "one_example"})
    columns = ["task", "n_dev", "seed_sd", "detectable", "one_example"]
    yield f"smallest gain found with {POWER:.0%} power, in points; noise of seeds {source}"
    yield shown[columns].round(2).to_string(index=False)


def _relate_errors(table: pd.DataFrame, found: GainBootstrap) -> pd.DataFrame:
    """Return what was measured with errors as shares of the single-task error."""
    unit = np.where(found.is_error, -found.single, 1.0)
    return table.assign(**{name: table[name] / unit for name in ("seed_sd", "detectable")})


def tabulate_expected(prepared: PreparedStudy, plan: PairwisePlan) -> pd.DataFrame:
    """Return `tabulate_prior_power` of a study, with the seeds that its plan has at least."""
    sizes = {
        name: (count_dev(prepared, name), len(data.train)) for name, data in prepared.data.items()
    }
    singles = Counter(task for task, _ in plan.singles)
    pairs = Counter(pair[:2] for pair in plan.pairs)
    fewest = (min(count.values(), default=1) for count in (pairs, singles))
    return tabulate_prior_power(sizes, *fewest)


def describe_split(tasks: int, budget: int) -> Iterator[str]:
    """Yield the best numbers of seeds for single and pair runs within a budget of runs."""
    pairs = tasks * (tasks - 1) // 2
    if tasks < 2 or budget < tasks + pairs:
        yield f"{budget} runs do not pay one seed of {tasks} single and {pairs} pair runs"
        return
    best = split_budget(budget, tasks, pair_cost=1)
    yield (
        f"best use of {budget} runs: --seeds {best.n_pair} --single-seeds {best.n_single} "
        f"({best.cost:.0f} runs); a gain's SD over seeds is then "
        f"{(best.variance / 2) ** 0.5:.0%} of that with one seed each"
    )
