"""Gains from a part of the runs: designs of pairs and blocks, and screens that cheap measures lead.

>>> from analysis.guesses import count_meetings, draw_blocks
>>> blocks = draw_blocks(13, size=4, count=26, seed=0)
>>> meetings = count_meetings(blocks, 13)      # every two tasks meet one to three times
>>> int(meetings.min()), int(meetings[0, 0])
(1, 8)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relevance.designs.block_observations import (
        Observed,
        TargetRuns,
        arrange_observations,
        measure_target,
        observe_runs,
    )
    from relevance.designs.block_plan import (
        BlockPlan,
        DesignOptions,
        add_blocks,
        plan_design,
        plan_singles,
    )
    from relevance.designs.cheap_measures import find_measures, stack_measures
    from relevance.designs.design_matrix import (
        Verdict,
        describe_additivity,
        describe_verdict,
        judge_model,
        make_matrix,
    )
    from relevance.designs.screening import ScreenOptions, choose_pairs
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "BlockPlan",
    "DesignOptions",
    "Observed",
    "ScreenOptions",
    "TargetRuns",
    "Verdict",
    "add_blocks",
    "arrange_observations",
    "choose_pairs",
    "describe_additivity",
    "describe_verdict",
    "find_measures",
    "judge_model",
    "make_matrix",
    "measure_target",
    "observe_runs",
    "plan_design",
    "plan_singles",
    "stack_measures",
]
