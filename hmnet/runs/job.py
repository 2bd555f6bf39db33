"""A job: a run to execute; and the machine on which it is executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field
from pydantic.dataclasses import dataclass

from hmnet.runs.spec import RunSpec
from hmnet.study.settings import STRICT


@dataclass(frozen=True, config=STRICT)
class Job:
    """A run to execute, and where its tokenised data lies.

    Attributes:
        spec: what decides the numbers.
        data: task name to its folder of tokenised rows.
        keep_model: whether the trained model is stored.
        max_length: most tokens of an example; a stored model remembers it.
        parents: id of a run that this one begins with or learns from, to its folder, where that
            does not lie beside this one's.
        before: jobs that have to be done first.
    """

    spec: RunSpec
    data: Mapping[str, Path]
    keep_model: bool = False
    max_length: int = 512
    parents: Mapping[str, Path] = Field(default_factory=dict)
    before: tuple[Job, ...] = ()


@dataclass(frozen=True, config=STRICT)
class Machine:
    """Where a run is executed; none of it decides its numbers beyond rounding.

    Attributes:
        device: `cpu`, or `cuda:0`.
        threads: threads of one process on a CPU.
        checkpoint_s: seconds between checkpoints.
        loggers: further places that losses and scores go to (`hmnet.runs.loggers`).
    """

    device: str = "cpu"
    threads: int = Field(default=1, gt=0)
    checkpoint_s: float = Field(default=300.0, ge=0)
    loggers: tuple[str, ...] = ()
