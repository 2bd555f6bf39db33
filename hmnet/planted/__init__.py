"""The planted suite: 13 made tasks whose true groups are known, and a small encoder for them.

    planted = write_planted(Path("demo"), seed=0)
    planted.truth.groups        # {"coast": (...), "hills": (...), "town": (...)}

People of three dialects describe things with words that only their own dialect gives a meaning:
each word approves or disapproves. Every task, of whatever kind, asks whether a text approves, so
what a task can learn from another one is their dialect's words and nothing else.
"""

from __future__ import annotations

from hmnet.planted.encoder import write_encoder
from hmnet.planted.suite import (
    PLANTED_DATA,
    PLANTED_TRAINING,
    Planted,
    describe_planted,
    planted_tasks,
    planted_truth,
    write_planted,
)

__all__ = [
    "PLANTED_DATA",
    "PLANTED_TRAINING",
    "Planted",
    "describe_planted",
    "planted_tasks",
    "planted_truth",
    "write_encoder",
    "write_planted",
]
