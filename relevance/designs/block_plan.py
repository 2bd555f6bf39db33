"""Runs of some pairs, or of larger blocks of tasks, in place of every pair's.

Legend: T tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from analysis.guesses.balanced_blocks import Block, draw_blocks
from hmnet.errors import InputError
from hmnet.runs.job import Job

if TYPE_CHECKING:
    from hmnet.jobs.prepared import PreparedStudy

DesignKind = Literal["pairs", "blocks"]
DESIGNS: tuple[DesignKind, ...] = ("pairs", "blocks")
LEAST_SINGLES = 2


@dataclass(frozen=True)
class DesignOptions:
    """Which runs a design has.

    Attributes:
        kind: pairs, or larger blocks.
        block_size: tasks of a block.
        budget: runs of several tasks; the single runs come on top.
    """

    kind: DesignKind
    block_size: int = 4
    budget: int = 40

    @property
    def size(self) -> int:
        """Tasks of each run."""
        return 2 if self.kind == "pairs" else self.block_size


@dataclass(frozen=True)
class BlockPlan:
    """The runs of a design.

    Attributes:
        tasks: T names, in the study's order.
        singles: (task, seed) to its single run.
        blocks: numbers of the tasks of a run, to the run.
        sweep_passes: how often the full sweep passes over a task's rows.
    """

    tasks: tuple[str, ...]
    singles: Mapping[tuple[str, int], Job]
    blocks: Mapping[Block, Job] = field(default_factory=dict)
    sweep_passes: int = 1

    @property
    def jobs(self) -> list[Job]:
        """Every job."""
        return [*self.singles.values(), *self.blocks.values()]

    @property
    def cost_frac(self) -> float:
        """What it costs as a share of the full sweep, by passes over a task's rows."""
        return (len(self.singles) + sum(map(len, self.blocks))) / self.sweep_passes


def plan_singles(prepared: PreparedStudy, single_seeds: Sequence[int] | None = None) -> BlockPlan:
    """Plan the single runs, which every design needs.

    Raises:
        InputError: for fewer than four tasks, or one seed, which does not tell how noisy runs are.
    """
    names, seeds = tuple(prepared.study.tasks), prepared.study.seeds
    chosen = tuple(single_seeds or seeds)
    if len(chosen) < LEAST_SINGLES:
        raise InputError(
            f"Parameter `single_seeds` should be at least {LEAST_SINGLES} seeds for a design: how "
            f"noisy runs are is read off the single runs. Found `{chosen}`; give --single-seeds 3."
        )
    if len(names) < 4:
        raise InputError(
            f"Parameter `tasks` should name at least four tasks for a design. Found {len(names)}."
        )
    singles = {(name, seed): prepared.single(name, seed) for name in names for seed in chosen}
    passes = len(singles) + len(names) * (len(names) - 1) * len(seeds)
    return BlockPlan(names, singles, {}, passes)


def add_blocks(plan: BlockPlan, prepared: PreparedStudy, blocks: Iterable[Block]) -> BlockPlan:
    """Return the plan with further runs, each with the study's first seed."""
    seed = prepared.study.seeds[0]
    further = {
        block: prepared.shared([plan.tasks[task] for task in block], seed) for block in blocks
    }
    both = {**plan.blocks, **further}
    return BlockPlan(plan.tasks, plan.singles, both, plan.sweep_passes)


def plan_design(
    prepared: PreparedStudy, options: DesignOptions, single_seeds: Sequence[int] | None = None
) -> BlockPlan:
    """Plan the single runs and the balanced runs of a design.

    Raises:
        InputError: if there is no such design.
    """
    if options.kind not in DESIGNS:
        raise InputError(
            f"Parameter `design` should be one of {list(DESIGNS)}. Found `{options.kind}`."
        )
    plan = plan_singles(prepared, single_seeds)
    most = len(plan.tasks) * (len(plan.tasks) - 1) // 2
    budget = min(options.budget, most) if options.size == 2 else options.budget
    return add_blocks(plan, prepared, draw_blocks(len(plan.tasks), options.size, budget))
