"""Sentences: what was found, what to beware of, and what to do next.

>>> from relevance.matrices.reference import load_reference
>>> from reports.inputs import ReportInputs
>>> from reports.words import plan_next, summarise_report
>>> inputs = ReportInputs("relevance-out", pairwise=load_reference("paper:table3"))
>>> groups, losses, *others = summarise_report(inputs).findings
>>> print(losses.question)
Which two tasks hurt each other most, and is that noise?
>>> print(losses.answer.striptags())
imdb and sst2: trained together, imdb loses 4.2 % and sst2 loses 0.7 %.
>>> [step.command for step in plan_next(inputs)]
['relevance cluster --k auto']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.words.answer import ReportSummary, summarise_report
    from reports.words.cautions import find_cautions
    from reports.words.finding import Finding
    from reports.words.group_stability import Stability, read_stability
    from reports.words.next_steps import STAGES, NextStep, in_folder, plan_next
    from reports.words.origin import list_commands, list_data, list_documents, list_facts, sum_costs
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "STAGES",
    "Finding",
    "NextStep",
    "ReportSummary",
    "Stability",
    "find_cautions",
    "in_folder",
    "list_commands",
    "list_data",
    "list_documents",
    "list_facts",
    "plan_next",
    "read_stability",
    "sum_costs",
    "summarise_report",
]
