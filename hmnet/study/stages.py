"""A sharing schedule: what tasks share becomes finer while a model is trained.

>>> stages = parse_stages("6,0,0:0.5 2,4,0:0.3 2,2,2:0.2:0.3")
>>> [(str(stage.hierarchy), stage.share, stage.lower_rate) for stage in stages]
[('6,0,0', 0.5, 1.0), ('2,4,0', 0.3, 1.0), ('2,2,2', 0.2, 0.3)]

First all layers are shared, then groups get copies of their own, then tasks. Where two stages meet,
each new owner of a layer begins with the weights and the optimiser's moments that it had.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from hmnet.errors import raise_problems
from hmnet.study.hierarchy import Depths, HierarchySpec, HierarchyText
from hmnet.study.settings import STRICT

_TOLERANCE = 1e-6
"""How far the shares' sum may be from 1: decimal fractions such as 0.1 are not exact."""


@dataclass(frozen=True, config=STRICT)
class SharingStage:
    """A part of a run, and what tasks share in it.

    Attributes:
        share: share of the run's steps, above 0.
        hierarchy: {x, y, z}, such as `2,4,0`.
        lower_rate: factor of the learning rate of what more tasks share than the finest layers of
            their paths: 1 as they are, 0 frozen.
    """

    share: Annotated[float, Field(gt=0, le=1)]
    hierarchy: HierarchyText
    lower_rate: Annotated[float, Field(ge=0, le=1)] = 1.0


@dataclass(frozen=True, config=STRICT)
class SharingSettings:
    """How `hmnet train` shares an encoder; flags override it.

    Attributes:
        stages: what tasks share in each part of a run, coarse to fine; none for one hierarchy from
            the first step on.
        start_from: a finished run that kept its model, by its id, whose weights are begun with.
        depths: group or task to its own {x, y, z}, where that differs (in the last stage).
    """

    stages: tuple[SharingStage, ...] = ()
    depths: Depths = Field(default_factory=dict)
    start_from: Annotated[str, Field(min_length=1)] | None = None

    def __post_init__(self) -> None:
        if problems := list(find_stage_problems(self.stages)):
            raise ValueError("\n".join(problems))


def find_stage_problems(stages: Sequence[SharingStage]) -> Iterator[str]:
    """Yield a sentence for each way in which stages are no schedule."""
    total = sum(stage.share for stage in stages)
    if stages and not math.isclose(total, 1.0, abs_tol=_TOLERANCE):
        yield f"Parameter `stages` should have shares that sum to 1. Found `{total:g}`."
    for before, after in itertools.pairwise(stage.hierarchy for stage in stages):
        if before.depth != after.depth:
            yield (
                "Parameter `stages` should have hierarchies of one depth. "
                f"Found `{before}` with {before.depth} layers and `{after}` with {after.depth}."
            )
        elif not is_as_fine(after, before):
            yield (
                "Parameter `stages` should share no more in a stage than in the one before it. "
                f"Found `{after}` after `{before}`."
            )


def find_depth_problems(
    stages: Sequence[SharingStage], depths: Mapping[str, HierarchySpec]
) -> Iterator[str]:
    """Yield a sentence for each own {x, y, z} that would share anew what a stage has parted."""
    for before in [stage.hierarchy for stage in stages[:-1]][-1:]:
        for name, own in depths.items():
            if not is_as_fine(own, before):
                yield (
                    "Parameter `depths` should share no more than the last stage but one. Found "
                    f"`{own}` of `{name}` after `{before}`."
                )


def is_as_fine(one: HierarchySpec, other: HierarchySpec) -> bool:
    """Tell whether tasks share nothing in `one` that they do not share in `other`."""
    return one.shared <= other.shared and one.task >= other.task


def simplify(stages: Sequence[SharingStage]) -> tuple[SharingStage, ...]:
    """Return a schedule's stages; none for a single one that is a plain run."""
    is_plain = len(stages) == 1 and stages[0].lower_rate == 1
    return () if is_plain else tuple(stages)


def parse_stages(text: str) -> tuple[SharingStage, ...]:
    """Read HIERARCHY:SHARE or HIERARCHY:SHARE:LOWER_RATE, separated by spaces.

    Raises:
        InputError: with every part of another form, else with what is no schedule.
    """
    parts = text.split()
    raise_problems(
        f"Parameter `stages` should be HIERARCHY:SHARE, such as `6,0,0:0.5 2,2,2:0.5`, with a "
        f"share above 0 and at most 1, and a lower rate of 0 to 1 as a third part where that is "
        f"not 1. Found `{part}`."
        for part in parts or [text]
        if not _is_stage(part)
    )
    stages = tuple(_parse_stage(part) for part in parts)
    raise_problems(find_stage_problems(stages))
    return stages


def _is_stage(part: str) -> bool:
    _, *numbers = part.split(":")
    if not re.fullmatch(r"[0-9]{1,4},[0-9]{1,4},[0-9]{1,4}(:[0-9.]{1,20}){1,2}", part):
        return False
    if any(number.count(".") > 1 or number == "." for number in numbers):
        return False
    share, rate = (float(number) for number in [*numbers, "1"][:2])
    return 0 < share <= 1 and rate <= 1


def _parse_stage(part: str) -> SharingStage:
    hierarchy, share, *rate = part.split(":")
    return SharingStage(
        float(share), HierarchySpec.parse(hierarchy), *(float(each) for each in rate)
    )


def write_stages(stages: Sequence[SharingStage]) -> str:
    """Return stages as `parse_stages` reads them."""
    return " ".join(
        f"{stage.hierarchy}:{stage.share:g}"
        + (f":{stage.lower_rate:g}" if stage.lower_rate != 1 else "")
        for stage in stages
    )
