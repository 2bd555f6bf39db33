"""Relevance as gains of joint over single fine-tuning: planned, run, measured, refined.

`run_sweep` does it all; its parts are `plan_sweep`, `train_sweep` and `measure_sweep`. What can be
said before any run:

>>> from relevance.pairwise import describe_split
>>> print(*describe_split(13, 320))
best use of 320 runs: --seeds 3 --single-seeds 6 (312 runs); a gain's SD over seeds is then ...

and of gains that others published:

>>> from relevance.matrices import load_reference
>>> from relevance.pairwise import format_matrix
>>> print(format_matrix(load_reference("paper:table3").select(["rte", "mnli"])))
gain of column from row, %; * beyond noise (q < 0.05)
        rte   mnli
rte    0.0   -0.5
mnli  16.0    0.0
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relevance.pairwise.effects import Effects, EffectsRecord, describe_effects, measure_effects
    from relevance.pairwise.extra_seeds import (
        ExtraSeeds,
        Refinement,
        add_refinement,
        choose_seeds,
        extend_plan,
        read_refinement,
    )
    from relevance.pairwise.gains import measure_gains, tabulate_gain_matrix
    from relevance.pairwise.measurement import (
        MeasureOptions,
        SweepMeasurement,
        SweepRuns,
        describe_measurement,
        measure_runs,
        measure_sweep,
    )
    from relevance.pairwise.one_target import (
        TargetRanking,
        decide_sources,
        describe_ranking,
        rank_sources,
    )
    from relevance.pairwise.plan import PairwisePlan, plan_pairwise
    from relevance.pairwise.planning import describe_outlook, describe_power, describe_split
    from relevance.pairwise.results import (
        read_losses,
        read_results,
        read_stored,
        tabulate_scores,
    )
    from relevance.pairwise.second_round import describe_extra, plan_extra
    from relevance.pairwise.sweep import plan_sweep, run_sweep, train_sweep
    from relevance.pairwise.sweep_text import describe_significant, format_matrix
    from relevance.pairwise.target_choice import choose_tasks
    from relevance.pairwise.target_plan import TargetPlan, plan_target
    from relevance.pairwise.task_check import (
        CheckedTask,
        check_tasks,
        describe_check,
        prepare_checked,
    )
    from relevance.pairwise.uncertainty import (
        attach_uncertainty,
        describe_targets,
        mark_undefined,
        to_matrix,
    )
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "CheckedTask",
    "Effects",
    "EffectsRecord",
    "ExtraSeeds",
    "MeasureOptions",
    "PairwisePlan",
    "Refinement",
    "SweepMeasurement",
    "SweepRuns",
    "TargetPlan",
    "TargetRanking",
    "add_refinement",
    "attach_uncertainty",
    "check_tasks",
    "choose_seeds",
    "choose_tasks",
    "decide_sources",
    "describe_check",
    "describe_effects",
    "describe_extra",
    "describe_measurement",
    "describe_outlook",
    "describe_power",
    "describe_ranking",
    "describe_significant",
    "describe_split",
    "describe_targets",
    "extend_plan",
    "format_matrix",
    "mark_undefined",
    "measure_effects",
    "measure_gains",
    "measure_runs",
    "measure_sweep",
    "plan_extra",
    "plan_pairwise",
    "plan_sweep",
    "plan_target",
    "prepare_checked",
    "rank_sources",
    "read_losses",
    "read_refinement",
    "read_results",
    "read_stored",
    "run_sweep",
    "tabulate_gain_matrix",
    "tabulate_scores",
    "to_matrix",
    "train_sweep",
]
