"""Which differences can be told from noise.

The multi-bootstrap of a sweep's gains, paired differences of systems, power, what further seeds
are worth, and the split of gains into source, target and rest.

>>> from analysis.gains import compute_gains, find_detectable_gain, split_budget
>>> compute_gains([0.84, 0.76], 0.8).round(3)     # relative, equation 4
array([ 0.05, -0.05])
>>> round(find_detectable_gain(0.02, n_joint=3, n_single=3), 4)     # with 80 % power
0.0457
>>> best = split_budget(320, n_tasks=13, pair_cost=1)
>>> best.n_pair, best.n_single
(3, 6)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.gains.additive import (
        find_cells,
        fit_additive,
        has_full_rank,
        measure_noise,
        name_shares,
        split_covariance,
    )
    from analysis.gains.bootstrap import GainBootstrap, adjust, bootstrap_gains, make_generator
    from analysis.gains.flags import compare_with_majority
    from analysis.gains.paired import (
        AVERAGE,
        Estimate,
        SeedScores,
        estimate_differences,
        estimate_scores,
        score_systems,
    )
    from analysis.gains.posterior import GainPosterior, measure_cell_noise, measure_components
    from analysis.gains.power import (
        POWER,
        Detection,
        Split,
        expect_seed_sd,
        find_detectable_gain,
        find_level,
        find_noncentrality,
        split_budget,
        tabulate_power,
        tabulate_prior_power,
    )
    from analysis.gains.scales import SCALES, Scale, compute_gains
    from analysis.gains.seed_value import ExtraRuns, measure_value, plan_refinement
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "AVERAGE",
    "POWER",
    "SCALES",
    "Detection",
    "Estimate",
    "ExtraRuns",
    "GainBootstrap",
    "GainPosterior",
    "Scale",
    "SeedScores",
    "Split",
    "adjust",
    "bootstrap_gains",
    "compare_with_majority",
    "compute_gains",
    "estimate_differences",
    "estimate_scores",
    "expect_seed_sd",
    "find_cells",
    "find_detectable_gain",
    "find_level",
    "find_noncentrality",
    "fit_additive",
    "has_full_rank",
    "make_generator",
    "measure_cell_noise",
    "measure_components",
    "measure_noise",
    "measure_value",
    "name_shares",
    "plan_refinement",
    "score_systems",
    "split_budget",
    "split_covariance",
    "tabulate_power",
    "tabulate_prior_power",
]
