"""A sweep's finished runs as a matrix of gains with its uncertainty, and what stands beside it.

    measurement = measure_sweep(prepared, plan, output.runs)
    measurement.write(output)
    for line in describe_measurement(measurement): print(line)

The values stay those of equations 3-4, from the runs' scores; intervals, p and q come from the
runs' dev predictions (`analysis.gains.bootstrap`). Beside the matrix are written: the scores, the
collapsed runs, what is known of each target, the gains of every draw, the decomposition into
sources and targets, and the additive baseline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from analysis.gains.bootstrap import GainBootstrap, bootstrap_gains
from analysis.levels import DRAWS
from analysis.scores.collapse import CollapsedRun, Losses
from analysis.scores.predictions import Predictions, collect_sweep
from hmnet.folder.outputs import Output
from hmnet.runs.mixture import describe_versions
from hmnet.runs.store import RunStore
from hmnet.storage.tables import write_table
from hmnet.study.metrics import is_error
from relevance.matrices.draws import write_draws
from relevance.matrices.matrix import RelevanceMatrix
from relevance.pairwise.collapsed_runs import (
    choose_dropped,
    drop_predictions,
    drop_scores,
    find_collapsed_runs,
    mark_dropped,
)
from relevance.pairwise.effects import Effects, describe_effects, measure_effects, remove_effects
from relevance.pairwise.gains import count_dev, tabulate_gain_matrix
from relevance.pairwise.plan import PairwisePlan
from relevance.pairwise.results import (
    read_losses,
    read_results,
    read_stored,
    tabulate_scores,
)
from relevance.pairwise.sweep_record_format import COLLAPSED, SCORES, TARGETS
from relevance.pairwise.sweep_text import (
    describe_collapsed_runs,
    describe_majority,
    describe_seeds,
    describe_significant,
    describe_unread,
)
from relevance.pairwise.uncertainty import (
    attach_expected,
    attach_uncertainty,
    describe_targets,
    mark_undefined,
)

if TYPE_CHECKING:
    from hmnet.jobs.prepared import PreparedStudy


@dataclass(frozen=True)
class MeasureOptions:
    """How a sweep's runs are measured.

    Attributes:
        drop_collapsed: leave collapsed runs out of means and intervals; it is said and recorded.
        draws: bootstrap draws.
        seed: their seed.
    """

    drop_collapsed: bool = False
    draws: int = DRAWS
    seed: int = 0


MEASURE_OPTIONS = MeasureOptions()


@dataclass(frozen=True, eq=False)
class SweepUncertainty:
    """What the dev predictions of a sweep's runs say beyond its scores.

    Attributes:
        found: the bootstrap of all gains.
        targets: a row per target, `describe_targets`.
        effects: main effects; None where the matrix is too small for them.
    """

    found: GainBootstrap
    targets: pd.DataFrame
    effects: Effects | None


@dataclass(frozen=True, eq=False)
class SweepMeasurement:
    """What a sweep's finished runs show.

    Attributes:
        matrix: gains, with their uncertainty where there is any.
        scores: a row per run and task, dropped ones included.
        study: what the runs are of, for provenance.
        unread: tasks without a finished single run.
        collapsed, dropped: runs that did not learn, and those of them that are left out.
        uncertainty: None where fewer than two tasks have a finished single run.
        mixed: a sentence for each library of which the runs used several versions.
    """

    matrix: RelevanceMatrix
    scores: pd.DataFrame
    study: Mapping[str, object]
    unread: tuple[str, ...]
    collapsed: Sequence[CollapsedRun]
    dropped: Sequence[CollapsedRun]
    uncertainty: SweepUncertainty | None
    mixed: tuple[str, ...] = ()

    def write(self, output: Output) -> None:
        """Write the matrix and what stands beside it, the scores last."""
        collapsed = mark_dropped(self.collapsed, self.dropped)
        write_table(output.collapsed, collapsed, COLLAPSED.schema, {})
        if self.uncertainty is not None:
            self._write_uncertainty(output, self.uncertainty)
        self.matrix.write(output.pairwise)
        write_table(output.scores, self.scores, SCORES.schema, self.study)

    def _write_uncertainty(self, output: Output, found: SweepUncertainty) -> None:
        provenance = {"matrix": self.matrix.identity}
        write_table(output.targets, found.targets, TARGETS.schema, provenance)
        write_draws(output.draws, self.matrix, found.found)
        if found.effects is None:
            remove_effects(output)
        else:
            found.effects.write(output)


def measure_sweep(
    prepared: PreparedStudy,
    plan: PairwisePlan,
    store: RunStore,
    options: MeasureOptions = MEASURE_OPTIONS,
) -> SweepMeasurement:
    """Measure the gains of a sweep from those of its runs that are done."""
    from hmnet.jobs.prepared import describe_study

    data, results = prepared.data, read_results(plan, store)
    runs = SweepRuns(
        tasks=plan.tasks,
        scores=tabulate_scores(plan, results),
        predictions=collect_sweep(read_stored(plan, store)),
        losses=read_losses(plan, store),
        n_dev={task: float(count_dev(prepared, task)) for task in plan.tasks},
        n_train={task: len(data[task].train) for task in plan.tasks},
        study=describe_study(prepared),
        mixed=tuple(describe_versions(results.values())),
    )
    return measure_runs(runs, options)


@dataclass(frozen=True, eq=False)
class SweepRuns:
    """What the finished runs of a sweep left, whoever trained them.

    Attributes:
        tasks: T names.
        scores: a row per run and task, the columns of `SCORES`.
        predictions: of the tasks with a finished single run.
        losses: task to (partner or "", seed) to the loss of its last steps, where they are known.
        n_dev: task to its number of dev examples.
        n_train: task to its number of training examples; None where these are not known.
        study: what the runs are of, for provenance.
        mixed: a sentence for each library of which the runs used several versions.
    """

    tasks: tuple[str, ...]
    scores: pd.DataFrame
    predictions: Mapping[str, Predictions]
    losses: Mapping[str, Losses]
    n_dev: Mapping[str, float]
    n_train: Mapping[str, int] | None
    study: Mapping[str, object]
    mixed: tuple[str, ...] = ()


def measure_runs(runs: SweepRuns, options: MeasureOptions = MEASURE_OPTIONS) -> SweepMeasurement:
    """Measure the gains that finished runs show."""
    collapsed = find_collapsed_runs(runs.predictions, runs.losses)
    dropped = choose_dropped(collapsed, runs.predictions) if options.drop_collapsed else []
    kept = drop_predictions(runs.predictions, dropped)
    scores = drop_scores(runs.scores, dropped)
    errors = [task for task, found in runs.predictions.items() if is_error(found.metric)]
    matrix = tabulate_gain_matrix(scores, runs.tasks, runs.n_dev, runs.study, errors)
    uncertainty = None
    if len(kept) > 1:
        matrix, uncertainty = _find_uncertainty(runs, matrix, kept, dropped, options)
    unread = tuple(task for task in runs.tasks if task not in kept)
    return SweepMeasurement(
        matrix, runs.scores, runs.study, unread, collapsed, dropped, uncertainty, runs.mixed
    )


def _find_uncertainty(
    runs: SweepRuns,
    matrix: RelevanceMatrix,
    kept: Mapping[str, Predictions],
    dropped: Sequence[CollapsedRun],
    options: MeasureOptions,
) -> tuple[RelevanceMatrix, SweepUncertainty]:
    """Return the matrix with its uncertainty, and what else the predictions say."""
    found = bootstrap_gains(kept, options.draws, options.seed)
    named = [[run.task, run.partner, run.seed] for run in dropped]
    whole = attach_uncertainty(matrix, found, {"dropped": named} if named else {})
    targets = describe_targets(kept, found)
    whole = mark_undefined(whole, targets.loc[targets["beats"] == "no", "task"])
    whole = attach_expected(whole, found)
    return whole, SweepUncertainty(found, targets, measure_effects(whole, found, runs.n_train))


def describe_measurement(measurement: SweepMeasurement) -> Iterator[str]:
    """Yield what can be relied on in a sweep, in lines for the terminal."""
    yield from measurement.mixed
    yield from describe_unread(measurement.unread)
    yield from describe_collapsed_runs(measurement.collapsed, measurement.dropped)
    uncertainty = measurement.uncertainty
    if uncertainty is None:
        return
    yield from describe_significant(measurement.matrix)
    yield from describe_majority(uncertainty.targets)
    yield from describe_seeds(uncertainty.found)
    if uncertainty.effects is not None:
        yield from describe_effects(uncertainty.effects.record)
