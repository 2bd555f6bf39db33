"""The whole chain on planted tasks, offline: what was planted, what was found, what it bought."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

from analysis.partitions.agreement import compare_groups
from hmnet.errors import InputError
from hmnet.folder.freshness import Sources, deriving, note_files, note_study
from hmnet.folder.outputs import Output, open_output
from hmnet.jobs.prepared import prepare_study
from hmnet.jobs.workers import Workers
from hmnet.planted import (
    PLANTED_DATA,
    PLANTED_TRAINING,
    Planted,
    make_planted_tasks,
    write_planted,
)
from hmnet.seeding import check_seed
from hmnet.storage.documents import write_document
from hmnet.study.hierarchy import Groups
from hmnet.study.study import Study, write_study
from relevance.commands.pairwise_sweep import measure_round
from relevance.groups.clustering import cluster
from relevance.groups.doubt import describe_doubt, group_matrix
from relevance.matrices.draws import read_draws
from relevance.matrices.manual import make_manual_groups
from relevance.matrices.matrix import RelevanceMatrix
from relevance.planted_format import PLANTED_SCHEMA, PlantedRecord, Recovery
from relevance.systems.compare import average_scores, compare_systems
from relevance.systems.systems import list_systems
from relevance.vocabulary.study_vocabulary import measure_study_vocabulary

METHOD = "exact"
OTHER_METHODS = ("kmeans", "spectral")


def run_demo(
    out: Path, seed: int, workers: int | None, *, all_kinds: bool = False
) -> Iterator[str]:
    """Plant tasks, measure their relevance, group them, train HMNet, and compare.

    Args:
        seed: decides texts, encoder and training.
        workers: processes; None for one per core.
        all_kinds: whether there are tasks of other kinds beside the 13.
    """
    check_seed(seed)
    output = open_output(out)
    yield f"planting {len(make_planted_tasks(all_kinds))} synthetic tasks"
    planted = write_planted(output.folder / "planted", seed, all_kinds=all_kinds)
    study = _make_study(planted, seed)
    write_study(output.study_file, study, output.folder)
    chosen = Workers.choose(workers=workers)
    yield "measuring vocabulary relevance"
    vocabulary = measure_study_vocabulary(study, None, "wordpiece", 2)
    with deriving(Sources("relevance demo", note_study(output, study, ()))):
        vocabulary.write(output.vocab)
    yield "fine-tuning every task and every pair"
    gains = (yield from measure_round(output, study, chosen)).matrix
    groups = yield from _find_groups(output, gains, planted, seed)
    yield "training single-task, multi-task and HMNet models"
    prepared = prepare_study(study, output.data)
    named = {
        "vocabulary": cluster(vocabulary, len(planted.truth.groups), seed=seed),
        "manual": make_manual_groups(study.tasks.values()),
        "pairwise": groups,
    }
    table = compare_systems(output, prepared, list_systems(prepared, named), chosen)
    for name, score in average_scores(table).items():
        yield f"average score of {name}: {score:.4f}"


def check_kinds(kinds: str) -> bool:
    """Tell whether the value of `--kinds` asks for all of them.

    Raises:
        InputError: if it is none that there is.
    """
    if kinds not in ("plain", "all"):
        raise InputError(f"Parameter `kinds` should be plain or all. Found `{kinds}`.")
    return kinds == "all"


def _make_study(planted: Planted, seed: int) -> Study:
    return Study(
        tasks=dict(planted.tasks),
        model=str(planted.encoder.resolve()),
        data_folder=planted.data.resolve(),
        training=PLANTED_TRAINING,
        rows=PLANTED_DATA,
        seeds=(seed,),
    )


def _find_groups(
    output: Output, gains: RelevanceMatrix, planted: Planted, seed: int
) -> Generator[str, None, Groups]:
    """Group the tasks, record how well what was planted is found, and describe both."""
    draws = read_draws(output.draws, gains)
    found = group_matrix(gains, len(planted.truth.groups), METHOD, seed, draws)
    sources = Sources("relevance demo", files=note_files(output, output.pairwise))
    with deriving(sources):
        found.write(output)
    yield from describe_doubt(found)
    recovery = compare_methods(gains, found.groups, planted.truth, seed)
    record = PlantedRecord(planted.description, dict(planted.truth.groups), recovery)
    with deriving(sources):
        write_document(output.planted, PLANTED_SCHEMA, record)
    yield f"groups found: {show_groups(found.groups)}"
    yield f"groups planted: {show_groups(planted.truth)}"
    yield f"adjusted Rand index of the two: {recovery.adjusted_rand_index:.2f}"
    others = (f"{recovery.by_method[name]:.2f} by {name}" for name in OTHER_METHODS)
    yield f"clustered in other ways: {', '.join(others)}"
    return found.groups


def compare_methods(gains: RelevanceMatrix, groups: Groups, truth: Groups, seed: int) -> Recovery:
    """Return how well the groups, and those of other methods, are the planted ones."""
    k = len(groups.groups)
    found = {name: cluster(gains, k, name, seed) for name in OTHER_METHODS} | {METHOD: groups}
    by_method = {name: compare_groups(other, truth) for name, other in found.items()}
    return Recovery(by_method[METHOD], k, by_method)


def show_groups(groups: Groups) -> str:
    """Return `{a, b} {c}`."""
    return " ".join("{" + ", ".join(tasks) + "}" for tasks in groups.groups.values())
