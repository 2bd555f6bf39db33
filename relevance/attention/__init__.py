"""What sharing does to attention: maps of a task's single and joint models compared.

>>> from relevance.attention import parse_pairs
>>> parse_pairs(["qqp", "rte", "mnli"], ["rte,qqp"])     # whatever their order
[('qqp', 'rte')]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relevance.attention.attention_plan import (
        AttentionPlan,
        describe_attention_plan,
        measure_models,
        plan_attention,
    )
    from relevance.attention.pair_maps import (
        PairJobs,
        describe_layers,
        describe_pairs,
        list_all_pairs,
        measure_all_pairs,
        measure_pairs,
        parse_pairs,
        plan_pairs,
    )
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "AttentionPlan",
    "PairJobs",
    "describe_attention_plan",
    "describe_layers",
    "describe_pairs",
    "list_all_pairs",
    "measure_all_pairs",
    "measure_models",
    "measure_pairs",
    "parse_pairs",
    "plan_attention",
    "plan_pairs",
]
