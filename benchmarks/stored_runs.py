"""Predictions of stored runs, whatever study they belong to, split into disjoint halves.

    halves = split_halves(read_stored(Path("relevance-out")), np.random.default_rng(0))

Of an output folder whose sweep is not finished, those tasks and seeds are taken of which every
single and every pair run is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from analysis.scores.predictions import Arm, Array, Predictions, collect_predictions
from analysis.scores.resampling import number_units
from hmnet.errors import InputError
from hmnet.runs.spec import RunSpec, read_spec
from hmnet.runs.store import RunStore

LEAST_TASKS = 4
LEAST_SEEDS = 2

Specs: TypeAlias = Mapping[tuple[str, ...], Mapping[int, RunSpec]]
"""One task or two to seed to run."""


def read_stored(folder: Path) -> dict[str, Predictions]:
    """Return the dev predictions of an output folder's finished runs of one task and of two.

    Raises:
        InputError: for fewer than four tasks or two seeds of which all runs are there.
    """
    store = RunStore(folder / "runs")
    specs = _list_finished(store)
    tasks, seeds = _find_complete(specs)
    if len(tasks) < LEAST_TASKS or len(seeds) < LEAST_SEEDS:
        raise InputError(
            f"Parameter `runs` should be an output folder with all single and pair runs of "
            f"{LEAST_TASKS} tasks for {LEAST_SEEDS} seeds. Found {len(tasks)} tasks and "
            f"{len(seeds)} seeds in `{folder}`."
        )
    return {name: _collect(store, specs, name, tasks, seeds) for name in tasks}


def _list_finished(store: RunStore) -> Specs:
    found: dict[tuple[str, ...], dict[int, RunSpec]] = {}
    for path in sorted(store.folder.glob("*/result.json")):
        spec = read_spec(path.parent / "spec.json")
        shares = spec.shares_all or len(spec.names) == 1  # alone, there is nobody to share with
        if shares and spec.system == "hierarchy" and len(spec.names) < 3:
            found.setdefault(spec.names, {})[spec.seed] = spec
    return found


def _find_complete(specs: Specs) -> tuple[list[str], list[int]]:
    """Return the most tasks of which all runs of two seeds are there, and all seeds of these."""
    tasks = sorted(names[0] for names in specs if len(names) == 1)
    while len(tasks) >= LEAST_TASKS:
        wanted = [(t,) for t in tasks] + list(combinations(tasks, 2))
        done = [set(specs.get(names, {})) for names in wanted]
        seeds = sorted(set.intersection(*done))
        if len(seeds) >= LEAST_SEEDS:
            return tasks, seeds
        tasks.remove(min(tasks, key=lambda t: _count_runs(specs, t, tasks)))
    return tasks, []


def _count_runs(specs: Specs, task: str, tasks: Sequence[str]) -> int:
    """Return how many runs there are of a task alone and with the others."""
    names = [(task,), *(tuple(sorted((task, other))) for other in tasks if other != task)]
    return sum(min(len(specs.get(each, {})), LEAST_SEEDS) for each in names)


def _collect(
    store: RunStore, specs: Specs, name: str, tasks: Sequence[str], seeds: Sequence[int]
) -> Predictions:
    def read(names: tuple[str, ...]) -> dict[int, pd.DataFrame]:
        return {seed: store.predictions(specs[names][seed], name) for seed in seeds}

    single = read((name,))
    joint = {other: read(tuple(sorted((name, other)))) for other in tasks if other != name}
    (definition,) = specs[name,][seeds[0]].tasks
    return collect_predictions(definition, single, joint)


def split_halves(
    predictions: Mapping[str, Predictions], rng: np.random.Generator
) -> tuple[dict[str, Predictions], dict[str, Predictions]]:
    """Return two studies with neither seeds nor dev rows in common; the first has more seeds."""
    seeds = rng.permutation(next(iter(predictions.values())).single.seeds).tolist()
    cut = (len(seeds) + 1) // 2
    one: dict[str, Predictions] = {}
    other: dict[str, Predictions] = {}
    for name, found in predictions.items():
        is_first = _halve_rows(found, rng)
        one[name] = _take(found, seeds[:cut], is_first)
        other[name] = _take(found, seeds[cut:], ~is_first)
    return one, other


def _halve_rows(found: Predictions, rng: np.random.Generator) -> Array:
    """Return which rows are in the first half, whole questions together, [N]."""
    chosen = np.zeros(len(found.labels), dtype=bool)
    for rows in _list_splits(found):
        units = number_units(found.questions[rows])
        count = int(units.max()) + 1
        chosen[rows] = np.isin(units, rng.permutation(count)[: count // 2])
    return chosen


def _list_splits(found: Predictions) -> Iterator[Array]:
    for split in dict.fromkeys(found.splits.tolist()):
        yield np.flatnonzero(found.splits == split)


def _take(found: Predictions, seeds: Sequence[int], rows: Array) -> Predictions:
    return replace(
        found,
        labels=found.labels[rows],
        splits=found.splits[rows],
        questions=found.questions[rows],
        single=_take_arm(found.single, seeds, rows),
        joint={name: _take_arm(arm, seeds, rows) for name, arm in found.joint.items()},
    )


def _take_arm(arm: Arm, seeds: Sequence[int], rows: Array) -> Arm:
    places = [arm.seeds.index(seed) for seed in seeds]
    return Arm(tuple(seeds), arm.values[places][:, rows])
