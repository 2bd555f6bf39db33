"""Ways of sharing a model, compared on one budget.

>>> from pathlib import Path
>>> from hmnet.jobs import prepare_study
>>> from hmnet.planted import PLANTED_DATA, write_planted
>>> from hmnet.study import Groups, Study
>>> from relevance.systems import list_systems, plan_comparison
>>> planted = write_planted(Path("planted"), seed=0, train_rows=32, dev_rows=20)
>>> tasks = {name: planted.tasks[name] for name in ("sentiment-coast", "inference-coast")}
>>> study = Study(tasks, str(planted.encoder), data_folder=planted.data, rows=PLANTED_DATA)
>>> prepared = prepare_study(study, Path("data"))
>>> systems = list_systems(prepared, {"mine": Groups.one(tasks)})
>>> [system.name for system in systems]
['single-task', 'multi-task', 'hmnet-mine']
>>> len(plan_comparison(prepared, systems))     # two single runs, and one of each other system
4
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relevance.systems.budget import count_task_steps, describe_budget
    from relevance.systems.choose import (
        SystemOptions,
        choose_groupings,
        choose_systems,
        read_groupings,
    )
    from relevance.systems.collapsed_results import find_collapsed_results
    from relevance.systems.compare import (
        add_intervals,
        average_scores,
        compare_systems,
        measure_systems,
        read_systems,
    )
    from relevance.systems.comparison_text import describe_systems
    from relevance.systems.parameters import describe_counts, format_count
    from relevance.systems.split_scores import tabulate_split_scores
    from relevance.systems.sweeps import (
        HierarchySweep,
        Point,
        describe_hierarchy_sweep,
        plan_combinations,
        plan_hierarchy_sweep,
        plan_layers,
        run_hierarchy_sweep,
    )
    from relevance.systems.systems import (
        System,
        list_systems,
        plan_comparison,
        plan_system,
        tabulate_comparison,
        train_systems,
    )
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "HierarchySweep",
    "Point",
    "System",
    "SystemOptions",
    "add_intervals",
    "average_scores",
    "choose_groupings",
    "choose_systems",
    "compare_systems",
    "count_task_steps",
    "describe_budget",
    "describe_counts",
    "describe_hierarchy_sweep",
    "describe_systems",
    "find_collapsed_results",
    "format_count",
    "list_systems",
    "measure_systems",
    "plan_combinations",
    "plan_comparison",
    "plan_hierarchy_sweep",
    "plan_layers",
    "plan_system",
    "read_groupings",
    "read_systems",
    "run_hierarchy_sweep",
    "tabulate_comparison",
    "tabulate_split_scores",
    "train_systems",
]
