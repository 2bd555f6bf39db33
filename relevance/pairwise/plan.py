"""Model-based relevance: gains of joint over single fine-tuning (section 3.2, equations 3-4).

For tasks s and t, one encoder is fine-tuned on t alone (score f_t) and one on both with every
layer shared (score f_jt). The relevance of s to t is (f_jt - f_t) / f_t; f is the mean of the
primary metric over the dev splits and over seeds. T tasks need T single and T (T - 1) / 2 pair
runs per seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hmnet.runs.job import Job

if TYPE_CHECKING:
    from hmnet.jobs.prepared import PreparedStudy


@dataclass(frozen=True)
class PairwisePlan:
    """The runs of a sweep.

    Attributes:
        tasks: task names, in the study's order.
        singles: (task, seed) to its single run.
        pairs: (task, task, seed) to the run of both; the tasks in the study's order.
    """

    tasks: tuple[str, ...]
    singles: Mapping[tuple[str, int], Job]
    pairs: Mapping[tuple[str, str, int], Job]

    @property
    def jobs(self) -> list[Job]:
        """Every job."""
        return [*self.singles.values(), *self.pairs.values()]


def plan_pairwise(
    prepared: PreparedStudy,
    seeds: Sequence[int],
    single_seeds: Sequence[int] | None = None,
    *,
    keep_models: bool = False,
) -> PairwisePlan:
    """Plan every single and pair run.

    Args:
        seeds: seeds of the pair runs.
        single_seeds: seeds of the single runs, each of which decides a whole column; as `seeds`
            if None.
    """
    names = tuple(prepared.study.tasks)
    singles = {
        (name, seed): prepared.single(name, seed, keep_model=keep_models)
        for name in names
        for seed in single_seeds or seeds
    }
    pairs = {
        (one, other, seed): prepared.shared((one, other), seed, keep_model=keep_models)
        for one, other in itertools.combinations(names, 2)
        for seed in seeds
    }
    return PairwisePlan(names, singles, pairs)
