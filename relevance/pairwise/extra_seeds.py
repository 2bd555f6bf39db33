"""Further seeds of some runs of a sweep, kept in `refinement.json` of the output folder.

Where a first round left a decision open, its runs get more seeds than the others
(`relevance pairwise --refine`). They belong to the sweep from then on: every later command that
measures it counts them in. Deleting the file leaves them out again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from pydantic.dataclasses import dataclass

from hmnet.folder.freshness import is_measured_with
from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import PreparedStudy
from hmnet.runs.job import Job
from hmnet.storage.documents import read_document, write_document
from hmnet.study.settings import STRICT
from relevance.pairwise.plan import PairwisePlan

REFINEMENT_SCHEMA = "refinement/1"


@dataclass(frozen=True, config=STRICT)
class ExtraSeeds:
    """Seeds of one task's single run, or of one pair's joint run.

    Attributes:
        tasks: one name, or two.
        seeds: those beyond the study's.
    """

    tasks: tuple[str, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True, config=STRICT)
class Refinement:
    """`refinement.json`: the runs, in the order in which they were asked for."""

    runs: tuple[ExtraSeeds, ...] = ()


def read_refinement(output: Output) -> Refinement:
    """Return the further seeds of an output folder, none where there is no such file."""
    if not output.refinement.exists():
        return Refinement()
    return read_document(output.refinement, REFINEMENT_SCHEMA, Refinement)


def add_refinement(output: Output, runs: Iterable[ExtraSeeds]) -> None:
    """Add further seeds to those that are recorded."""
    known = read_refinement(output).runs
    write_document(output.refinement, REFINEMENT_SCHEMA, Refinement((*known, *runs)))


def is_carried_out(output: Output) -> bool:
    """Tell whether the folder's matrix is of the further seeds that are recorded."""
    is_planned = output.refinement.exists()
    return not is_planned or is_measured_with(output, output.pairwise, output.refinement)


def extend_plan(
    plan: PairwisePlan,
    prepared: PreparedStudy,
    refinement: Refinement,
    *,
    keep_models: bool = False,
) -> PairwisePlan:
    """Return the plan with the further seeds of those tasks that it holds."""
    singles: dict[tuple[str, int], Job] = {}
    pairs: dict[tuple[str, str, int], Job] = {}
    for entry in refinement.runs:
        names = [task for task in plan.tasks if task in entry.tasks]
        if len(names) < len(entry.tasks):
            continue
        for seed in entry.seeds:
            if len(names) == 1:
                job = prepared.single(names[0], seed, keep_model=keep_models)
                singles[names[0], seed] = job
            else:
                job = prepared.shared(names, seed, keep_model=keep_models)
                pairs[names[0], names[1], seed] = job
    return dataclasses.replace(
        plan, singles={**plan.singles, **singles}, pairs={**plan.pairs, **pairs}
    )


def choose_seeds(plan: PairwisePlan, counts: Mapping[Sequence[str], int]) -> list[ExtraSeeds]:
    """Return seeds that a plan does not have yet, for one task or two and how many.

    They follow the largest one in use.
    """
    used: dict[frozenset[str], list[int]] = {}
    for task, seed in plan.singles:
        used.setdefault(frozenset([task]), []).append(seed)
    for one, other, seed in plan.pairs:
        used.setdefault(frozenset([one, other]), []).append(seed)
    found = []
    for tasks, count in counts.items():
        first = max(used[frozenset(tasks)]) + 1
        found.append(ExtraSeeds(tuple(tasks), tuple(range(first, first + count))))
    return found
