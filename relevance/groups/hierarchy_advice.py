"""Groups and hierarchy together: what to share, how deep, what it costs and what it buys.

Which tasks train together is the decision of `relevance cluster --k auto`
(`analysis.partitions.decision`). Where that is groups, the agreement of the tasks' gradients says
how many lower layers all of them share (`analysis.partitions.shared_layers`); the others are the
groups', and a task that is best alone has all layers to itself. Its gain is that of the groups:
what shared lower layers add to it is not known, so that it is not promised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from analysis.partitions.agreement import to_labels
from analysis.partitions.decision import Decision
from analysis.partitions.shared_layers import LayerAgreement, Parting, find_parting
from hmnet.jobs.prepared import PreparedStudy
from hmnet.models.parameter_counts import count_parameters
from hmnet.study.hierarchy import Groups, HierarchySpec


@dataclass(frozen=True, eq=False)
class HierarchyAdvice:
    """What is advised.

    Attributes:
        groups: with the hierarchy, and what speaks for it in their origin.
        decision: of the groups.
        parting: how many lower layers the groups share; None where there is nothing to part.
    """

    groups: Groups
    decision: Decision
    parting: Parting | None = None

    @property
    def alone(self) -> list[str]:
        """The tasks that are advised to be kept alone, where others share."""
        if self.decision.verdict == "alone":
            return []
        return [tasks[0] for tasks in self.groups.groups.values() if len(tasks) == 1]


def advise_hierarchy(
    groups: Groups,
    decision: Decision,
    depth: int,
    agreement: LayerAgreement | None = None,
    tasks: list[str] | None = None,
) -> HierarchyAdvice:
    """Return groups that were decided on with the hierarchy that is advised for them.

    Args:
        groups: as `relevance.groups.advice.to_groups` makes them.
        agreement: of `tasks`, in that order; None to part as in the paper, {8,2,2} of 12.
    """
    whole, own = HierarchySpec(depth, 0, 0), HierarchySpec(0, 0, depth)
    if decision.verdict != "groups":
        hierarchy = whole if decision.verdict == "all" else own
        return HierarchyAdvice(_give(groups, hierarchy, {}, None), decision)
    alone = {name: own for name, members in groups.groups.items() if len(members) == 1}
    parting = None
    shared = HierarchySpec.default(depth).shared
    if agreement is not None and tasks is not None:
        parting = find_parting(agreement, to_labels(groups, tuple(tasks)))
        shared = parting.shared
    hierarchy = HierarchySpec(shared, depth - shared, 0)
    return HierarchyAdvice(_give(groups, hierarchy, alone, parting), decision, parting)


def _give(
    groups: Groups,
    hierarchy: HierarchySpec,
    depths: Mapping[str, HierarchySpec],
    parting: Parting | None,
) -> Groups:
    told = {"parting": vars(parting)} if parting is not None else {}
    return Groups(groups.groups, {**groups.origin, **told}, hierarchy, depths)


def describe_hierarchy(found: HierarchyAdvice) -> Iterator[str]:
    """Yield what to share, in words."""
    groups, depth = found.groups, _read_depth(found.groups)
    if found.decision.verdict == "alone":
        yield "keep every task alone: a model of its own for each"
    elif found.decision.verdict == "all":
        yield f"share everything: one encoder, all {depth} layers, for all tasks"
    else:
        together = [tasks for tasks in groups.groups.values() if len(tasks) > 1]
        for tasks in together:
            yield f"train together: {', '.join(tasks)}"
        if found.alone:
            yield f"keep alone: {', '.join(found.alone)}"
        yield _describe_layers(found, depth)


def _read_depth(groups: Groups) -> int:
    assert groups.hierarchy is not None  # noqa: S101 (`_give` gave one)
    return groups.hierarchy.depth


def _describe_layers(found: HierarchyAdvice, depth: int) -> str:
    hierarchy, parting = found.groups.hierarchy, found.parting
    assert hierarchy is not None  # noqa: S101 (as above)
    lower = hierarchy.shared
    what = f"all groups share the lower {lower} of {depth} layers" if lower else "groups share none"
    if parting is None:
        return f"{what} ({{{hierarchy}}}), as in the paper: where they part was not measured"
    doubt = "" if parting.low == parting.high else f" ({parting.low} to {parting.high})"
    return (
        f"{what}{doubt} ({{{hierarchy}}}): above them gradients of tasks of different groups agree "
        "less than half as well as those of one group"
    )


def describe_price(
    found: HierarchyAdvice, prepared: PreparedStudy, seconds_per_epoch: float | None = None
) -> Iterator[str]:
    """Yield what the advice costs and buys beside sharing all and training alone.

    Args:
        seconds_per_epoch: of training all tasks, on one worker, if it is known.
    """
    names, seed = list(prepared.study.tasks), prepared.study.seeds[0]
    singles = [prepared.single(name, seed).spec for name in names]
    alone = sum(count_parameters(spec)["overall"] for spec in singles)
    whole = count_parameters(prepared.shared(names, seed).spec)["overall"]
    advised = {"alone": alone, "all": whole}.get(found.decision.verdict)
    if advised is None:
        hierarchy = found.groups.advise()
        assert hierarchy is not None  # noqa: S101 (as above)
        groups = found.groups.groups.values()
        advised = count_parameters(prepared.make_job(names, hierarchy, groups, seed).spec)[
            "overall"
        ]
    runs = len(names) if found.decision.verdict == "alone" else 1
    yield (
        f"what it costs: {_million(advised)} parameters to store (all shared {_million(whole)}, "
        f"each task alone {_million(alone)}), {runs} training run{'s' if runs > 1 else ''} with as "
        f"many steps as any other way{_tell_time(prepared, seconds_per_epoch)}"
    )
    chosen = found.decision.chosen
    gain, low, high = (100 * each for each in (chosen.gain, chosen.low, chosen.high))
    if found.decision.verdict == "alone":
        yield "what it buys: nothing that is known of is lost by not sharing"
    else:
        yield (
            f"what it buys: a task is expected to score {gain:+.1f} % above its own model "
            f"({low:+.1f} to {high:+.1f})"
        )


def _tell_time(prepared: PreparedStudy, seconds_per_epoch: float | None) -> str:
    if seconds_per_epoch is None:
        return ""
    from hmnet.jobs.progress_line import format_seconds

    total = seconds_per_epoch * prepared.study.training.epochs
    return f", about {format_seconds(total)} on one worker"


def _million(count: float) -> str:
    return f"{count / 1e6:,.1f} M" if count >= 1e5 else f"{count / 1e3:,.0f} k"
