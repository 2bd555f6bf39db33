"""The tables that the commands write into an output folder: file, schema and columns of each.

Writers and readers both take them from here; nothing here imports torch. Matrices have their own
columns (`relevance.matrices.matrix`).

>>> CLUSTERS.file, CLUSTERS.schema
('clusters.parquet', 'clusters/1')
"""

from __future__ import annotations

from analysis.scores.collapse import COLLAPSED_COLUMNS
from hmnet.storage.declared import Table

SCORES_SCHEMA = "pairwise-scores/1"
DRAWS_SCHEMA = "draws/1"
COLLAPSED_SCHEMA = "collapsed/1"
TARGETS_SCHEMA = "targets/1"
CLUSTERS_SCHEMA = "clusters/1"
STABILITY_SCHEMA = "stability/1"
COMPARISON_SCHEMA = "comparison/1"
SHARED_LAYERS_SCHEMA = "sweep-layers/1"
COMBINATIONS_SCHEMA = "sweep-combinations/1"
ATTENTION_SCHEMA = "attention/1"
ATTENTION_LAYERS_SCHEMA = "attention-layers/1"

SCORES = Table(
    "pairwise-scores.parquet", SCORES_SCHEMA, ("run", "task", "partner", "seed", "score")
)
"""A row per run and task of a sweep; `partner` is empty for single runs."""

DRAWS_OF_GAINS = Table("pairwise-draws.parquet", DRAWS_SCHEMA, ("source", "target", "draws"))
"""A row per ordered pair, with the list of its relative gains in every bootstrap draw."""

COLLAPSED = Table("pairwise-collapsed.parquet", COLLAPSED_SCHEMA, (*COLLAPSED_COLUMNS, "in_means"))
"""A row per run that did not learn a task; `in_means` says whether it still counts."""

TARGETS = Table(
    "pairwise-targets.parquet",
    TARGETS_SCHEMA,
    (
        *("task", "single", "majority", "single_low", "beats", "n_dev", "n_single", "n_joint"),
        *("seed_sd", "example_sd", "detectable", "detectable_relative", "per_example"),
    ),
)
"""A row per target: `compare_with_majority`'s columns, then those of `tabulate_power`."""

CLUSTERS = Table(
    "clusters.parquet",
    CLUSTERS_SCHEMA,
    ("task", "group", "silhouette", "from_group", "from_others"),
    optional=("stability",),
)
"""A row per task: how it lies in its group (`relevance.groups.clustering.to_table`)."""

STABILITY = Table("stability.parquet", STABILITY_SCHEMA, ("task", "other", "together"))
"""A row per ordered pair of tasks: the share of draws in which they share a group."""

COMPARISON = Table(
    "compare.parquet",
    COMPARISON_SCHEMA,
    (
        *("system", "task", "seed", "score", "ci_low", "ci_high"),
        *("params_activated", "params_overall"),
        *("vs_single", "vs_single_low", "vs_single_high"),
        *("vs_multi", "vs_multi_low", "vs_multi_high", "negative_transfer"),
    ),
)
"""A row per system, task and seed, and one without a seed for the mean over seeds."""

SHARED_LAYERS = Table(
    "sweep-layers.parquet", SHARED_LAYERS_SCHEMA, ("task", "shared", "seed", "score", "run")
)
"""A row per run and task of a sweep over the number of shared layers."""

COMBINATIONS = Table(
    "sweep-combinations.parquet",
    COMBINATIONS_SCHEMA,
    ("hierarchy", "shared", "grouping", "seed", "score", "run"),
)
"""A row per run of a sweep over hierarchies and groupings; `score` is the average over tasks."""

ATTENTION = Table(
    "attention/{one}.{other}.parquet",
    ATTENTION_SCHEMA,
    ("task", "partner", "layer", "head", "similarity"),
)
"""A row per task of the pair, layer and head, both numbered from 1."""

ATTENTION_LAYERS = Table(
    "attention-layers.parquet",
    ATTENTION_LAYERS_SCHEMA,
    (
        *("layer", "similarity", "with_gain", "with_loss"),
        *("spearman", "spearman_within", "pairs"),
    ),
)
"""A row per layer: how similarity goes with gains (`analysis.attention_gains`)."""
