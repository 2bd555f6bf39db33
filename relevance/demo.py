"""The whole chain on planted tasks, offline: what was planted, what was found, what it bought."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from pydantic.dataclasses import dataclass
from sklearn.metrics import adjusted_rand_score

from hmnet.folder.outputs import Output, open_output
from hmnet.jobs.prepared import prepare_study
from hmnet.jobs.workers import Workers
from hmnet.planted import PLANTED_DATA, PLANTED_TRAINING, Planted, write_planted
from hmnet.storage.documents import write_document
from hmnet.storage.tables import write_table
from hmnet.study.hierarchy import Groups
from hmnet.study.settings import STRICT
from hmnet.study.study import Study, write_study
from relevance.groups.at_hand import CLUSTERS_SCHEMA
from relevance.groups.clustering import cluster, to_table
from relevance.matrices.manual import manual_groups
from relevance.matrices.matrix import RelevanceMatrix
from relevance.pairwise.sweep import Measure, run_sweep
from relevance.systems.systems import list_systems, run_comparison
from relevance.vocabulary.study_vocabulary import measure_study_vocabulary

PLANTED_SCHEMA = "planted/1"

Group: TypeAlias = Callable[[Output, RelevanceMatrix, int, str, int], Groups]
"""From a matrix, k, method and seed to groups that are written."""
METHOD = "exact"
OTHER_METHODS = ("kmeans", "spectral")


@dataclass(frozen=True, config=STRICT)
class Found:
    """How well the planted groups were found: adjusted Rand index, 1 is exactly.

    Attributes:
        adjusted_rand_index: that of the groups that the demo goes on with (`METHOD`).
        k: number of groups.
        by_method: clustering method to its index.
    """

    adjusted_rand_index: float
    k: int
    by_method: dict[str, float]


@dataclass(frozen=True, config=STRICT)
class PlantedRecord:
    """`planted.json`: what was planted and what was found."""

    description: str
    groups: dict[str, tuple[str, ...]]
    found: Found


def run_demo(
    out: Path,
    seed: int,
    workers: int | None,
    say: Callable[[str], None] = print,
    measure: Measure | None = None,
    group: Group | None = None,
) -> Output:
    """Plant tasks, measure their relevance, group them, train HMNet, and compare.

    Args:
        seed: decides texts, encoder and training.
        workers: processes; None for one per core.
        measure: how the matrix is computed; see `relevance.pairwise.sweep.run_sweep`.
        group: how its tasks are grouped, and the groups written; None for the groups alone.
    """
    output = open_output(out)
    say("planting 13 synthetic tasks")
    planted = write_planted(output.folder / "planted", seed)
    study = _make_study(planted, seed)
    write_study(output.study_file, study, output.folder)
    chosen = Workers.choose(workers=workers)
    say("measuring vocabulary relevance")
    vocabulary = measure_study_vocabulary(study, None, "wordpiece", 2)
    vocabulary.write(output.vocab)
    say("fine-tuning every task and every pair")
    gains = run_sweep(output, study, chosen, measure=measure)
    k = len(planted.truth.groups)
    groups = (group or _group)(output, gains, k, METHOD, seed)
    found = _compare_methods(gains, groups, planted.truth, seed)
    say(f"groups found: {describe_groups(groups)}")
    say(f"groups planted: {describe_groups(planted.truth)}")
    say(f"adjusted Rand index of the two: {found.adjusted_rand_index:.2f}")
    others = (f"{found.by_method[name]:.2f} by {name}" for name in OTHER_METHODS)
    say(f"clustered in other ways: {', '.join(others)}")
    record = PlantedRecord(planted.description, dict(planted.truth.groups), found)
    write_document(output.folder / "planted.json", PLANTED_SCHEMA, record)
    say("training single-task, multi-task and HMNet models")
    prepared = prepare_study(study, output.data)
    named = {
        "vocabulary": cluster(vocabulary, k, seed=seed),
        "manual": manual_groups(study.tasks.values()),
        "pairwise": groups,
    }
    averages = run_comparison(output, prepared, list_systems(prepared, named), chosen)
    for name, score in averages.items():
        say(f"average score of {name}: {score:.4f}")
    return output


def _group(output: Output, gains: RelevanceMatrix, k: int, method: str, seed: int) -> Groups:
    groups = cluster(gains, k, method, seed)
    write_table(output.clusters, to_table(groups, gains), CLUSTERS_SCHEMA, dict(groups.origin))
    groups.write(output.groups)
    return groups


def _make_study(planted: Planted, seed: int) -> Study:
    return Study(
        tasks=dict(planted.tasks),
        model=str(planted.encoder.resolve()),
        data_folder=planted.data.resolve(),
        training=PLANTED_TRAINING,
        rows=PLANTED_DATA,
        seeds=(seed,),
    )


def _compare_methods(gains: RelevanceMatrix, groups: Groups, truth: Groups, seed: int) -> Found:
    k = len(groups.groups)
    found = {name: cluster(gains, k, name, seed) for name in OTHER_METHODS} | {METHOD: groups}
    by_method = {name: measure_agreement(other, truth) for name, other in found.items()}
    return Found(by_method[METHOD], k, by_method)


def measure_agreement(found: Groups, truth: Groups) -> float:
    """Return the adjusted Rand index between two groupings of the same tasks."""
    tasks = sorted(truth.tasks)
    one, other = ([groups.group_of(task) for task in tasks] for groups in (found, truth))
    return float(adjusted_rand_score(one, other))


def describe_groups(groups: Groups) -> str:
    """Return `{a, b} {c}`."""
    return " ".join("{" + ", ".join(tasks) + "}" for tasks in groups.groups.values())
