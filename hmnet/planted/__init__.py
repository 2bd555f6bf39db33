"""The planted suite: 13 made tasks whose true groups are known, and a small encoder for them.

>>> from pathlib import Path
>>> from hmnet.planted import write_planted
>>> planted = write_planted(Path("demo"), seed=0, train_rows=32, dev_rows=20)
>>> {dialect: len(tasks) for dialect, tasks in planted.truth.groups.items()}
{'coast': 5, 'hills': 4, 'town': 4}

People of three dialects describe things with words that only their own dialect gives a meaning:
each word approves or disapproves. Every task, of whatever kind, asks whether a text approves, so
what a task can learn from another one is their dialect's words and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.planted.encoder import write_encoder
    from hmnet.planted.suite import (
        PLANTED_DATA,
        PLANTED_TRAINING,
        Planted,
        describe_planted,
        make_planted_tasks,
        make_planted_truth,
        write_planted,
    )
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "PLANTED_DATA",
    "PLANTED_TRAINING",
    "Planted",
    "describe_planted",
    "make_planted_tasks",
    "make_planted_truth",
    "write_encoder",
    "write_planted",
]
