"""What each command does: it reads, computes, writes, and yields lines that describe it.

A command is a generator of lines for the terminal, so that what is known is said before the next
long step. A line may carry the values that it shows, or belong
to standard error (`hmnet.console.speaking`).

>>> from pathlib import Path
>>> from hmnet.console import speak
>>> from relevance.commands import run_cluster
>>> speak(run_cluster(Path("out"), None, "paper:table3", "2", "exact", 0))
a task's mean gain: all in one group +4.2%, 2 groups +7.7%, alone +0.0%; ...
1: mnli, qnli, rte, cb, snli, imdb, sst2, qqp, stsb, mrpc, boolq
2: wnli, multirc
adjusted Rand index of agreement with the paper's groups: ...
wrote out/clusters.parquet and out/groups.json
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relevance.commands.advice_on_sharing import AdviceOptions, run_advise
    from relevance.commands.agreement_of_measures import run_agreement
    from relevance.commands.check_study import run_check
    from relevance.commands.comparison_of_attention import run_attention
    from relevance.commands.comparison_of_matrices import run_compare_matrices
    from relevance.commands.comparison_of_systems import (
        HierarchyOptions,
        run_compare_systems,
        run_sweep_of_hierarchies,
    )
    from relevance.commands.description_of_tasks import run_tasks
    from relevance.commands.designed_sweep import run_part
    from relevance.commands.export_scores import run_export
    from relevance.commands.grouping_of_tasks import run_cluster
    from relevance.commands.import_results import run_import
    from relevance.commands.pairwise_sweep import (
        PairwiseOptions,
        estimate_pairwise,
        plan_pairwise_study,
        run_pairwise,
    )
    from relevance.commands.ranking_of_sources import TargetOptions, run_target
    from relevance.commands.start_study import run_init
    from relevance.commands.taking_of_measures import (
        choose_measures,
        describe_measures,
        run_measures,
    )
    from relevance.commands.vocab import run_vocab
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "AdviceOptions",
    "HierarchyOptions",
    "PairwiseOptions",
    "TargetOptions",
    "choose_measures",
    "describe_measures",
    "estimate_pairwise",
    "plan_pairwise_study",
    "run_advise",
    "run_agreement",
    "run_attention",
    "run_check",
    "run_cluster",
    "run_compare_matrices",
    "run_compare_systems",
    "run_export",
    "run_import",
    "run_init",
    "run_measures",
    "run_pairwise",
    "run_part",
    "run_sweep_of_hierarchies",
    "run_target",
    "run_tasks",
    "run_vocab",
]
