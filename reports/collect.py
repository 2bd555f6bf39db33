"""What a report is made from: everything that an output folder holds, read once.

Any stage may be missing, and any file may be broken: a missing one is None, a broken one becomes
a sentence in `problems`, so that one bad file never costs the whole report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from pydantic import Field
from pydantic.dataclasses import dataclass as validated

from hmnet.errors import InputError, OutputFolderError
from hmnet.hierarchy import Groups
from hmnet.outputs import Output
from hmnet.settings import STRICT
from hmnet.storage import read_document, read_table
from relevance.matrix import RelevanceMatrix
from reports.runs import Curve, RunIndex, read_curves, read_runs

T = TypeVar("T")

COMPARISON_SCHEMA = "comparison/1"
COMPARISON_COLUMNS = (
    "system",
    "task",
    "seed",
    "score",
    "ci_low",
    "ci_high",
    "params_activated",
    "params_overall",
)
ATTENTION_SCHEMA = "attention/1"
ATTENTION_COLUMNS = ("task", "partner", "layer", "head", "similarity")
PLANTED_SCHEMA = "planted/1"
AVERAGE = "average"
"""The name that stands for the mean over tasks in a comparison."""


@validated(frozen=True, config=STRICT)
class Found:
    """How well what was planted was found again.

    Attributes:
        adjusted_rand_index: agreement of the groups found with those planted; 1 is perfect.
        k: number of groups found.
    """

    adjusted_rand_index: float
    k: int


@validated(frozen=True, config=STRICT)
class Planted:
    """A study whose true groups are known because they were built in.

    Attributes:
        description: what was planted, in a sentence or two.
        groups: name of each planted group to its tasks.
        found: how well they were found again.
    """

    description: str
    groups: Mapping[str, tuple[str, ...]] = Field(min_length=1)
    found: Found


@dataclass(frozen=True, eq=False)
class ReportInputs:
    """Everything that a report shows; None where a stage has not been run.

    Attributes:
        name: the output folder's name.
        vocabulary: vocabulary co-occurrence (equation 2).
        pairwise: relative gains (equation 4).
        groups: the groups that HMNet trains with.
        clusters: a row per task, with its cluster.
        together: share of bootstrap draws in which two tasks fall into one group, shape [T, T].
        comparison: scores of several systems, with `COMPARISON_COLUMNS`.
        planted: what was planted, in a planted study.
        attention: similarity of attention maps, with `ATTENTION_COLUMNS`.
        runs: finished, failed and unfinished runs.
        curves: task to its loss curves.
        study: the study file's text.
        problems: sentences about files that could not be read.
        focus: the task that Figure 2 opens with.
    """

    name: str
    vocabulary: RelevanceMatrix | None = None
    pairwise: RelevanceMatrix | None = None
    groups: Groups | None = None
    clusters: pd.DataFrame | None = None
    together: pd.DataFrame | None = None
    comparison: pd.DataFrame | None = None
    planted: Planted | None = None
    attention: pd.DataFrame | None = None
    runs: RunIndex = RunIndex()
    curves: Mapping[str, list[Curve]] = Field(default_factory=dict)
    study: str | None = None
    problems: tuple[str, ...] = ()
    focus: str | None = None

    @property
    def tasks(self) -> tuple[str, ...]:
        """Every task that any stage knows, in the order of the first one that does."""
        found: dict[str, None] = {}
        for matrix in (self.pairwise, self.vocabulary):
            found |= dict.fromkeys(matrix.tasks if matrix is not None else ())
        found |= dict.fromkeys(self.groups.tasks if self.groups is not None else ())
        found |= dict.fromkeys(task for record in self.runs.done for task in record.spec.names)
        return tuple(found)
