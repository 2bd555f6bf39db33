"""A run of two tasks of the paper, as tests of runs and their store take it."""

from __future__ import annotations

from hmnet.runs.spec import RunSpec
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import ModelRef, TrainingSettings
from hmnet.study.tasks import PAPER_TASKS

SPEC = RunSpec(
    tasks=(PAPER_TASKS["cb"], PAPER_TASKS["rte"]),
    data={"cb": "c0", "rte": "r0"},
    model=ModelRef("owner/encoder", "abc", "weights"),
    hierarchy=HierarchySpec(8, 2, 2),
    groups=(("cb",), ("rte",)),
    training=TrainingSettings(),
    seed=0,
)
