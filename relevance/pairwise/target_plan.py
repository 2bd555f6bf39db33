"""The runs that say what helps one task: its own, one with each source, and one after each.

    plan = plan_target(prepared, "rte", seeds=(0, 1, 2), sequential=True)
    plan.jobs

Trained *with* a source, the two share every layer in one run (equation 3). Trained *after* it, the
target begins with the weights of the source's own run, all but its output layer (Phang et al. 2018,
"Sentence Encoders on STILTs").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hmnet.jobs.prepared import PreparedStudy
from hmnet.runs.job import Job
from relevance.pairwise.one_target_format import Help


@dataclass(frozen=True)
class TargetPlan:
    """The runs of one target.

    Attributes:
        target: its name.
        singles: seed to its single run.
        helped: help and seed to the run of the target with, or after, a source.
    """

    target: str
    singles: Mapping[int, Job]
    helped: Mapping[tuple[Help, int], Job]

    @property
    def jobs(self) -> list[Job]:
        """Every job."""
        return [*self.singles.values(), *self.helped.values()]

    @property
    def runs(self) -> dict[tuple[str, int], Job]:
        """Every job by the name of its help, empty for a single run, and its seed."""
        singles = {("", seed): job for seed, job in self.singles.items()}
        return singles | {(str(help_), seed): job for (help_, seed), job in self.helped.items()}

    def describe(self) -> str:
        """Return how many runs of each kind there are."""
        after = [job for (help_, _), job in self.helped.items() if help_.way == "after"]
        text = f"{len(self.singles)} single runs and {len(self.helped) - len(after)} pair runs"
        return text + (f", {len(after)} after a source's own run" if after else "")


def plan_target(
    prepared: PreparedStudy,
    target: str,
    seeds: Sequence[int],
    single_seeds: Sequence[int] | None = None,
    *,
    sequential: bool = False,
) -> TargetPlan:
    """Plan the target's single runs, its pairs, and, if `sequential`, its runs after each source.

    Args:
        prepared: of the target and its sources.
        single_seeds: of the single runs; as `seeds` if None.
    """
    sources = [name for name in prepared.study.tasks if name != target]
    helped: dict[tuple[Help, int], Job] = {
        (Help(source), seed): prepared.shared((source, target), seed)
        for source in sources
        for seed in seeds
    }
    if sequential:
        helped |= {
            (Help(source, "after"), seed): prepared.after(source, target, seed)
            for source in sources
            for seed in seeds
        }
    singles = {seed: prepared.single(target, seed) for seed in single_seeds or seeds}
    return TargetPlan(target, singles, helped)
