"""What groups.json says of the decision behind groups, checked before a page is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic.dataclasses import dataclass

from hmnet.storage.documents import parse
from hmnet.study.hierarchy import Groups

Verdict = Literal["alone", "all", "groups"]


@dataclass(frozen=True)
class ExpectedGain:
    """A task's mean gain to be expected, with its interval, as a fraction."""

    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class RivalGain(ExpectedGain):
    """What another answer would gain; see `analysis.partitions.decision.Decision`."""

    odds: float
    missed: float


@dataclass(frozen=True)
class RivalGains:
    """The two plain answers."""

    all: RivalGain
    alone: RivalGain


@dataclass(frozen=True)
class DecisionOrigin(ExpectedGain):
    """Groups that were chosen for their gain (`relevance.groups.advice.to_groups`)."""

    verdict: Verdict
    others: RivalGains


@dataclass(frozen=True)
class BestGain(ExpectedGain):
    """The answer to be expected best, and its number of groups."""

    verdict: Verdict
    k: int


@dataclass(frozen=True)
class AdviceOrigin:
    """Groups of a given number beside the best ones (`relevance.groups.advice.to_beside`)."""

    given: ExpectedGain
    best: BestGain


def read_decided_groups(path: Path) -> Groups:
    """Read groups, with the decision or the advice that is recorded beside them.

    Raises:
        InputError: if the file does not hold groups, or what is said of them is not whole.
    """
    groups = Groups.read(path)
    for name, kind in (("decision", DecisionOrigin), ("advice", AdviceOrigin)):
        if name in groups.origin:
            parse(kind, groups.origin[name], f"{path}: `{name}`")
    return groups
