"""From a relevance matrix to groups of tasks, with how far they can be trusted.

A grouper has its parameters in the constructor and `fit`, as in scikit-learn; `group_matrix` adds
what can be relied on, `describe_doubt` says it.

>>> from relevance.groups import ExactGrouper, describe_doubt, group_matrix
>>> from relevance.matrices import load_reference
>>> gains = load_reference("paper:table3")
>>> grouper = ExactGrouper(k=2).fit(gains)
>>> [len(tasks) for tasks in grouper.groups_.groups.values()]
[11, 2]
>>> for line in describe_doubt(group_matrix(gains, k=2, method="exact")):
...     print(line)
a task's mean gain: all in one group +4.2%, 2 groups +7.7%, alone +0.0%; ...
no dev predictions behind this matrix: ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relevance.groups.advice import advise, describe_advice
    from relevance.groups.at_hand import Groupings, find_groupings
    from relevance.groups.clustering import cluster, to_table
    from relevance.groups.doubt import (
        DoubtedGroups,
        choose_k,
        describe_doubt,
        group_matrix,
        parse_k,
    )
    from relevance.groups.groupers import (
        METHODS,
        ExactGrouper,
        Grouper,
        KMeansGrouper,
        LowerBoundGrouper,
        SpectralGrouper,
        make_grouper,
    )
    from relevance.groups.hierarchy_advice import (
        HierarchyAdvice,
        advise_hierarchy,
        describe_hierarchy,
    )
    from relevance.groups.layer_agreement import find_pair_depths, probe_layers
    from relevance.groups.partition import (
        MAX_TASKS,
        check_k,
        find_best_partition,
        read_values,
        within_group_gain,
    )
    from relevance.groups.published import compare_with_published
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "MAX_TASKS",
    "METHODS",
    "DoubtedGroups",
    "ExactGrouper",
    "Grouper",
    "Groupings",
    "HierarchyAdvice",
    "KMeansGrouper",
    "LowerBoundGrouper",
    "SpectralGrouper",
    "advise",
    "advise_hierarchy",
    "check_k",
    "choose_k",
    "cluster",
    "compare_with_published",
    "describe_advice",
    "describe_doubt",
    "describe_hierarchy",
    "find_best_partition",
    "find_groupings",
    "find_pair_depths",
    "group_matrix",
    "make_grouper",
    "parse_k",
    "probe_layers",
    "read_values",
    "to_table",
    "within_group_gain",
]
