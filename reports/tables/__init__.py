"""Rows for people: what the page prints in its tables, as text beside the number to sort by.

>>> from relevance.matrices.reference import load_reference
>>> from reports.tables import build_heat
>>> table = build_heat(load_reference("paper:table3"), groups=None)
>>> [side.name for side in table.sides][:3]
['mnli', 'qnli', 'rte']
>>> cell = table.rows[0][1]  # what mnli does to qnli
>>> cell.text, cell.details.splitlines()[1:]
('−0.1', ['no interval', 'not tested against noise'])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.tables.asked_rows import list_asked
    from reports.tables.attention_pairs import AttentionPair, list_attention_pairs
    from reports.tables.collapsed_rows import Collapse, count_collapses, count_runs, list_collapses
    from reports.tables.designs import list_designs, recall_origin, tell_budget
    from reports.tables.influence_bars import build_influences, choose_focus
    from reports.tables.matrix_table import HeatTable, build_heat
    from reports.tables.score_rows import ScoreRows, build_scores
    from reports.tables.target_rows import describe_shares, list_targets
    from reports.tables.task_order import TaskOrder, order_tasks
    from reports.tables.task_rows import list_tasks
    from reports.tables.worth_rows import WorthRow, list_worth
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "AttentionPair",
    "Collapse",
    "HeatTable",
    "ScoreRows",
    "TaskOrder",
    "WorthRow",
    "build_heat",
    "build_influences",
    "build_scores",
    "choose_focus",
    "count_collapses",
    "count_runs",
    "describe_shares",
    "list_asked",
    "list_attention_pairs",
    "list_collapses",
    "list_designs",
    "list_targets",
    "list_tasks",
    "list_worth",
    "order_tasks",
    "recall_origin",
    "tell_budget",
]
