"""Parameters of a comparison's systems as text: both ways of copying, beside the paper's counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from hmnet.jobs.prepared import PreparedStudy
from hmnet.models.parameter_counts import PAPER_COUNTS, count_parameters
from relevance.systems.systems import Duplicate, System, plan_system

COPIES: Mapping[Duplicate, str] = {"layer": "whole layers", "ffn": "feed-forward blocks"}


def describe_counts(prepared: PreparedStudy, systems: Sequence[System]) -> str:
    """Return each system's parameters, from the encoder's shapes alone, beside the paper's.

    HMNet is counted with copies of whole layers and of feed-forward blocks, whichever is trained.
    """
    rows = [_count(prepared, system) for system in _list_counted(systems)]
    return "\n".join(
        [
            pd.DataFrame(rows).to_string(index=False),
            "Whole layers with {8,2,2} and 13 tasks make about 307M with 3 groups; the paper's "
            "231M and 240M fit copies of the feed-forward blocks alone, with 12 task paths.",
            f"Our single-task total is that of {len(prepared.study.tasks)} models; the paper "
            "prints the 110M of one.",
        ]
    )


def _list_counted(systems: Sequence[System]) -> Iterator[System]:
    """Yield each system, HMNet with every grouping both ways."""
    seen = set()
    for system in systems:
        name = system.name.removesuffix("-ffn")
        if system.groups is None:
            yield system
        elif name not in seen:
            seen.add(name)
            for duplicate in COPIES:
                yield dataclasses.replace(system, name=name, duplicate=duplicate)


def _count(prepared: PreparedStudy, system: System) -> dict[str, object]:
    jobs = plan_system(prepared, system, prepared.study.seeds[0])
    counts = [count_parameters(job.spec) for job in jobs]
    paper = "hmnet" if system.groups else system.name
    return {
        "system": system.name,
        "models": len(jobs),
        "groups": len(system.groups.groups) if system.groups else "",
        "copies of": COPIES[system.duplicate] if system.groups else "",
        "activated": format_count(max(found["activated"] for found in counts)),
        "overall": format_count(sum(found["overall"] for found in counts)),
        "paper (bert-base)": PAPER_COUNTS.get(paper, ""),
    }


def format_count(count: float) -> str:
    """Return `307.1M`, or the whole number below a million."""
    return f"{count / 1e6:,.1f}M" if count >= 1e6 else f"{count:,.0f}"
