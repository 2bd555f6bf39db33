"""Runs of several tasks, so that every two tasks meet about equally often.

>>> draw_blocks(5, size=2, count=10, seed=0) == sorted(draw_blocks(5, 2, 10, 0))
True
>>> meetings = count_meetings(draw_blocks(9, size=3, count=12, seed=0), 9)

Blocks are added one by one: each begins with the two tasks that met least, and takes the tasks that
met its own least, those in the fewest blocks first. The most balanced of several designs is taken.

Legend: T tasks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hmnet.errors import raise_problems

Block = tuple[int, ...]
Counts = npt.NDArray[np.int64]
STARTS = 8
"""Designs of which the most balanced is taken."""


def draw_blocks(
    tasks: int, size: int, count: int, seed: int = 0, given: Sequence[Block] = ()
) -> list[Block]:
    """Return blocks of task numbers, each ascending, in order; no two are equal where possible.

    Args:
        tasks: T.
        size: tasks of a block.
        count: number of blocks.
        given: blocks that are run already.

    Raises:
        InputError: for a size outside 2 to T, or a count that is not positive.
    """
    check_blocks(tasks, size, count)
    found = [
        _draw(tasks, size, count, np.random.default_rng([seed, i]), given) for i in range(STARTS)
    ]
    best = min(found, key=lambda blocks: _find_imbalance([*given, *blocks], tasks))
    return sorted(best)


def check_blocks(tasks: int, size: int, count: int) -> None:
    """Raise an `InputError` for a design that cannot be."""
    problems = []
    if not 2 <= size <= tasks:
        problems.append(
            f"Parameter `block_size` should be from 2 to {tasks}, the number of tasks. Found "
            f"`{size}`."
        )
    if count < 1:
        problems.append(f"Parameter `budget` should be at least 1. Found `{count}`.")
    raise_problems(problems)


def count_meetings(blocks: Sequence[Block], tasks: int) -> Counts:
    """Return how often every two tasks are in one block, and on the diagonal each task, [T, T]."""
    member = np.zeros((len(blocks), tasks), dtype=np.int64)
    for row, block in enumerate(blocks):
        member[row, list(block)] = 1
    return member.T @ member


def _find_imbalance(blocks: Sequence[Block], tasks: int) -> tuple[int, int]:
    meetings = count_meetings(blocks, tasks)
    return int((meetings[~np.eye(tasks, dtype=bool)] ** 2).sum()), int((meetings**2).trace())


def _draw(
    tasks: int, size: int, count: int, rng: np.random.Generator, given: Sequence[Block]
) -> list[Block]:
    meetings, used, blocks = count_meetings(given, tasks), set(given), list[Block]()
    for _ in range(count):
        block = _add_block(meetings, size, rng, used)
        blocks.append(block)
        used.add(block)
        meetings[np.ix_(block, block)] += 1
    return blocks


def _add_block(meetings: Counts, size: int, rng: np.random.Generator, used: set[Block]) -> Block:
    """Return the block whose tasks met least; one that is used only if all that are tried are."""
    block = _grow_block(meetings, size, rng)
    for _ in range(20):
        if block not in used:
            break
        shaken = np.triu(rng.integers(0, 2, meetings.shape), k=1)
        block = _grow_block(meetings + shaken + shaken.T, size, rng)
    return block


def _grow_block(meetings: Counts, size: int, rng: np.random.Generator) -> Block:
    tasks = len(meetings)
    noise = rng.random((tasks, tasks))
    often = np.diag(meetings)
    # meetings decide, then how often both are used, then chance
    score = meetings + (often[:, None] + often + noise + noise.T) / (4 * often.max() + 9)
    score[np.eye(tasks, dtype=bool)] = np.inf
    block = list(divmod(int(score.argmin()), tasks))
    while len(block) < size:
        together = meetings[block].sum(axis=0) + (often + rng.random(tasks)) / (2 * often.max() + 9)
        together[block] = np.inf
        block.append(int(together.argmin()))
    return tuple(sorted(int(task) for task in block))
