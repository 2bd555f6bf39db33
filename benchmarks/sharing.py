"""What ways of sharing are worth on planted tasks: `python -m benchmarks sharing`.

For each of some fresh suites (words, texts and encoder of their own seed) every pair is fine-tuned,
advice is taken from the gains as `relevance advise` takes it, and these are trained with equal
steps: each task alone, all together, the paper's k-means groups, the planted groups, what was
advised; and beside them, one by one, what `docs/sharing.md` adds to training all together. Scores
are means over tasks of what a suite's dev rows say; intervals are Student's t over suites.

What is trained stays in a folder: cut off, the same command goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
import pandas as pd
import typer
from scipy import stats

from analysis.arrays import Floats
from analysis.gains.paired import AVERAGE
from analysis.levels import INTERVAL_LEVEL
from benchmarks.entries import RESULTS, Entry
from benchmarks.rows import Material
from hmnet.folder.outputs import Output, open_output
from hmnet.jobs.prepared import PreparedStudy, prepare_study
from hmnet.jobs.workers import Workers
from hmnet.planted import PLANTED_DATA, PLANTED_TRAINING, write_planted
from hmnet.study.hierarchy import Groups, HierarchySpec
from hmnet.study.settings import Distillation
from hmnet.study.stages import SharingStage
from hmnet.study.study import Study
from relevance.commands.pairwise_sweep import measure_round
from relevance.groups.clustering import cluster
from relevance.groups.doubt import group_matrix
from relevance.groups.hierarchy_advice import HierarchyAdvice, advise_hierarchy
from relevance.groups.layer_agreement import probe_layers
from relevance.matrices.draws import read_draws
from relevance.matrices.matrix import RelevanceMatrix
from relevance.systems.compare import Judging, compare_systems
from relevance.systems.comparison_format import MULTI, SINGLE
from relevance.systems.systems import System, list_systems

TASKS = (
    "entailment-coast",
    "inference-coast",
    "sentiment-coast",
    "paraphrase-town",
    "inference-town",
    "sentiment-town",
)
FIRST_SUITE = 100
HELD_OUT = 40
FOLDER = "RELEVANCE_SHARING"
"""Environment variable: where runs are kept, in place of a folder beside the results."""
ADVICE, KMEANS, PLANTED = "advice", "k-means groups", "planted groups"
SuiteScores: TypeAlias = Mapping[str, tuple[float, float, float]]
"""System to its mean score in percent, parameters, and steps with those beside."""
ALTERNATIVES = (MULTI, SINGLE, KMEANS, PLANTED)


@dataclass(frozen=True)
class SuiteOptions:
    """How large it is.

    Attributes:
        suites: fresh ones.
        seeds: of training, in each suite.
        epochs: of each run.
        train_rows, dev_rows: of a task.
        tasks: names of planted tasks.
    """

    suites: int = 5
    seeds: int = 2
    epochs: int = 10
    train_rows: int = 160
    dev_rows: int = 300
    tasks: Sequence[str] = field(default=TASKS)


def train_suite(folder: Path, seed: int, options: SuiteOptions, workers: Workers) -> pd.DataFrame:
    """Train all ways on a suite; return the comparison's rows, and write them into its folder."""
    planted = write_planted(
        folder / f"planted-{seed}",
        seed,
        train_rows=options.train_rows + HELD_OUT,
        dev_rows=options.dev_rows,
    )
    study = Study(
        tasks={name: planted.tasks[name] for name in options.tasks},
        model=str(planted.encoder.resolve()),
        data_folder=planted.data.resolve(),
        training=replace(PLANTED_TRAINING, epochs=options.epochs),
        rows=replace(PLANTED_DATA, max_train=options.train_rows, holdout=HELD_OUT),
        seeds=tuple(range(options.seeds)),
    )
    output = open_output(folder / f"suite-{seed}")
    gains = _measure_gains(output, study, workers)
    prepared = prepare_study(study, output.data)
    truth = _restrict(planted.truth, options.tasks)
    advice = _take_advice(output, prepared, gains, workers)
    groupings = {KMEANS: cluster(gains, len(truth.groups)), PLANTED: truth}
    systems = list_ways(prepared, groupings, advice)
    return compare_systems(output, prepared, systems, workers, Judging(draws=200))


def _measure_gains(output: Output, study: Study, workers: Workers) -> RelevanceMatrix:
    steps = measure_round(output, study, workers)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            matrix: RelevanceMatrix = end.value.matrix
            return matrix


def _restrict(groups: Groups, tasks: Sequence[str]) -> Groups:
    kept = {name: [t for t in members if t in tasks] for name, members in groups.groups.items()}
    return Groups({name: tuple(members) for name, members in kept.items() if members})


def _take_advice(
    output: Output, prepared: PreparedStudy, gains: RelevanceMatrix, workers: Workers
) -> HierarchyAdvice:
    """Return what `relevance advise` would."""
    found = group_matrix(gains, None, draws=read_draws(output.draws, gains))
    assert found.decision is not None
    if found.decision.verdict != "groups":
        return advise_hierarchy(found.groups, found.decision, prepared.depth)
    agreement, _ = probe_layers(output, prepared, workers)
    tasks = list(prepared.study.tasks)
    return advise_hierarchy(found.groups, found.decision, prepared.depth, agreement, tasks)


def list_ways(
    prepared: PreparedStudy, groupings: Mapping[str, Groups], advice: HierarchyAdvice
) -> list[System]:
    """Return plain systems, groupings with {x,y,z} as in the paper, the advice, and the rest."""
    depth = prepared.depth
    whole, usual = HierarchySpec(depth, 0, 0), HierarchySpec.default(depth)
    training = prepared.study.training
    layers = None if advice.decision.verdict == "alone" else advice.groups.advise()
    advised = System(ADVICE, layers, advice.groups if layers is not None else None)
    stages = (SharingStage(0.6, whole), SharingStage(0.4, usual))
    groups = groupings[PLANTED] if advice.decision.verdict != "groups" else advice.groups
    return [
        *list_systems(prepared, {}),
        *(System(name, usual, found) for name, found in groupings.items()),
        advised,
        System("stages", usual, groups, stages=stages),
        System("averaging", whole, training=replace(training, averaging=0.3)),
        System("distillation", whole, training=replace(training, distillation=Distillation())),
        System("stopping", whole, training=replace(training, stopping="task")),
    ]


def average_suite(table: pd.DataFrame) -> SuiteScores:
    """Return what is told of a suite's systems, from the table of its comparison."""
    rows = table[(table["task"] == AVERAGE) & table["seed"].notna()]
    found = {}
    for name, part in rows.groupby("system", sort=False):
        steps = part["steps"].mean() + part["steps_beside"].mean()
        found[str(name)] = (100 * part["score"].mean(), part["params_overall"].mean(), steps)
    return found


def take_t_interval(values: Floats) -> tuple[float, float]:
    """Return the interval of a mean of two values or more, by Student's t."""
    quantile = float(stats.t.ppf(0.5 + INTERVAL_LEVEL / 2, len(values) - 1))
    half = quantile * float(values.std(ddof=1)) / np.sqrt(len(values))
    return float(values.mean()) - half, float(values.mean()) + half


def describe_suites(found: Sequence[SuiteScores]) -> Iterator[str]:
    """Yield the table, and how the advice stands to the best of the alternatives."""
    scores = pd.DataFrame([{name: row[0] for name, row in each.items()} for each in found])
    yield f"{len(scores)} suites; means and 95 % intervals over suites, in points"
    yield "| way | score, % | above all together | above alone | parameters | steps, all |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name in scores:
        params, steps = (float(np.mean([each[name][i] for each in found])) for i in (1, 2))
        against = " | ".join(_show(scores[name] - scores[other]) for other in (MULTI, SINGLE))
        yield (
            f"| {name} | {scores[name].mean():.1f} | {against} | {params / 1e3:,.0f} k | "
            f"{steps:,.0f} |"
        )
    best = max(ALTERNATIVES, key=lambda name: float(scores[name].mean()))
    ahead = _show(scores[ADVICE] - scores[best])
    yield f"advice above the best of the alternatives, {best}: {ahead}"


def _show(difference: pd.Series) -> str:
    values = difference.to_numpy(np.float64)
    if not values.any():
        return "0"
    if len(values) < 2:
        return f"{values[0]:+.2f}"
    low, high = take_t_interval(values)
    return f"{values.mean():+.2f} ({low:+.2f} to {high:+.2f})"


def try_suites(folder: Path, options: SuiteOptions, workers: Workers) -> list[SuiteScores]:
    """Train every suite, saying the table after each; return what `average_suite` does of each."""
    found: list[SuiteScores] = []
    for number in range(options.suites):
        found.append(average_suite(train_suite(folder, FIRST_SUITE + number, options, workers)))
        typer.echo("\n".join(describe_suites(found)))
    return found


def measure_sharing(material: Material, repeats: int, scale: float) -> list[Entry]:
    """Return the score of what is advised beside training all together, in percent."""
    folder = Path(os.environ.get(FOLDER) or RESULTS.parent / "sharing")
    options = SuiteOptions()
    if scale < 1:
        options = SuiteOptions(suites=1, epochs=1, train_rows=40, dev_rows=40, tasks=TASKS[1:5])
        folder = folder / "quick"
    folder.mkdir(parents=True, exist_ok=True)
    tables = try_suites(folder, options, Workers.choose(workers=1))
    ours, other = (float(np.mean([each[name][0] for each in tables])) for name in (ADVICE, MULTI))
    what = f"mean dev score of planted tasks, advice and all together; {options.suites} suites"
    return [Entry("sharing", ours, other, ours / other, "%", what)]


def run(
    folder: Annotated[Path, typer.Option("--to", help="Where runs are kept.")] = RESULTS.parent
    / "sharing",
    suites: Annotated[int, typer.Option(help="Fresh suites.", min=1)] = 5,
    seeds: Annotated[int, typer.Option(help="Seeds of training.", min=2)] = 2,
    epochs: Annotated[int, typer.Option(help="Epochs of a run.", min=1)] = 10,
    workers: Annotated[int, typer.Option(help="Worker processes.", min=1)] = 1,
) -> None:
    """Compare advice with its alternatives, and further ways one by one, on planted suites."""
    folder.mkdir(parents=True, exist_ok=True)
    options = SuiteOptions(suites=suites, seeds=seeds, epochs=epochs)
    try_suites(folder, options, Workers.choose(workers=workers))


if __name__ == "__main__":
    typer.run(run)
