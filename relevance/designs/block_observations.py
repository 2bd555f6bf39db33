"""What runs of several tasks show: each target's gain over its single runs, and how noisy it is.

The noise of a gain (equation 4) is the larger of two that overlap: how much runs differ over seeds,
from the single runs, drawn half way towards the targets' mean where seeds are few; and how much the
gain differs when dev examples are resampled. What all gains of a target share, the error of its
single runs, is kept apart.

Legend: B draws of dev examples, R runs of a target, S single runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats
from analysis.guesses.balanced_blocks import Block
from analysis.guesses.gain_model import Observation
from analysis.scores.predictions import Predictions, collect_predictions
from analysis.scores.resampling import resample_scores, score_runs
from hmnet.errors import InputError
from hmnet.runs.store import RunStore
from relevance.designs.block_plan import BlockPlan

DEV_DRAWS = 200
PRIOR_DF = 4
"""Degrees of freedom that the targets' mean variance over seeds counts for."""


@dataclass(frozen=True, eq=False)
class Observed:
    """What a plan's finished runs show.

    Attributes:
        observations: of every target in every run.
        shared: variance of the single runs' error of each target, [T].
        runs: ids of the runs.
    """

    observations: tuple[Observation, ...]
    shared: Floats
    runs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TargetRuns:
    """A target's runs.

    Attributes:
        gains: relative gain of each run of several tasks, [R].
        blocks: their tasks.
        seed_variance: of a run's relative score, from S single runs.
        singles: S.
        own, shared: variances of a gain when dev examples are resampled, [R] and one number.
    """

    gains: Floats
    blocks: tuple[Block, ...]
    seed_variance: float
    singles: int
    own: Floats
    shared: float


def observe_runs(plan: BlockPlan, store: RunStore) -> Observed:
    """Read every finished run of a plan.

    A task without a finished single run, or whose single runs score 0 on average, says nothing as
    a target.

    Raises:
        InputError: if no run of several tasks says anything.
    """
    found = {task: _read_target(plan, store, number) for number, task in enumerate(plan.tasks)}
    known = {task: each for task, each in found.items() if each is not None}
    if not any(len(each.gains) for each in known.values()):
        raise InputError(
            "A design should have finished runs of several tasks. Found none; see "
            "`relevance status`."
        )
    return arrange_observations(plan.tasks, known, _list_runs(plan, store))


def arrange_observations(
    tasks: Sequence[str], found: Mapping[str, TargetRuns], runs: tuple[str, ...] = ()
) -> Observed:
    """Return the observations of all targets, with moderated noise."""
    usual = float(np.mean([each.seed_variance for each in found.values()]))
    shared = np.zeros(len(tasks))
    observations = []
    blocks = sorted({block for each in found.values() for block in each.blocks})
    for target, task in enumerate(tasks):
        if task not in found:
            continue
        each = found[task]
        df = each.singles - 1
        over_seeds = (PRIOR_DF * usual + df * each.seed_variance) / (PRIOR_DF + df)
        shared[target] = max(over_seeds / each.singles, each.shared)
        observations += [
            Observation(
                target,
                tuple(other for other in block if other != target),
                float(gain),
                max(over_seeds, float(own)),
                blocks.index(block),
            )
            for gain, block, own in zip(each.gains, each.blocks, each.own, strict=True)
        ]
    return Observed(tuple(observations), shared, runs)


def _list_runs(plan: BlockPlan, store: RunStore) -> tuple[str, ...]:
    specs = [job.spec for job in plan.jobs]
    return tuple(sorted(spec.run_id for spec in specs if store.is_done(spec)))


def _read_target(plan: BlockPlan, store: RunStore, target: int) -> TargetRuns | None:
    name = plan.tasks[target]
    single = {
        seed: store.predictions(job.spec, name)
        for (task, seed), job in plan.singles.items()
        if task == name and store.is_done(job.spec)
    }
    blocks = [b for b, job in plan.blocks.items() if target in b and store.is_done(job.spec)]
    if not single:
        return None
    joint = {
        "+".join(plan.tasks[other] for other in block if other != target): {
            0: store.predictions(plan.blocks[block].spec, name)
        }
        for block in blocks
    }
    (definition,) = next(job.spec.tasks for (t, _), job in plan.singles.items() if t == name)
    return measure_target(collect_predictions(definition, single, joint), blocks)


def measure_target(predictions: Predictions, blocks: Sequence[Block]) -> TargetRuns | None:
    """Return a target's gains in runs of several tasks, in the order of its joint arms.

    None where its single runs score 0 or less on average.
    """
    arms = [predictions.single, *predictions.joint.values()]
    values = np.concatenate([arm.values for arm in arms])
    count = len(predictions.single.seeds)
    scores = score_runs(predictions, values)
    alone = float(scores[:count].mean())
    if not alone > 0:
        return None
    draws = resample_scores(predictions, values, DEV_DRAWS, np.random.default_rng(0))
    base = draws[:, :count].mean(axis=1, keepdims=True)
    gains = np.divide(
        draws[:, count:] - base, base, out=np.zeros_like(draws[:, count:]), where=base > 0
    )
    shared = _find_shared(gains)
    variance = float(scores[:count].var(ddof=1)) / alone**2 if count > 1 else 0.0
    return TargetRuns(
        scores[count:] / alone - 1,
        tuple(blocks),
        variance,
        count,
        np.maximum(gains.var(axis=0) - shared, 0.0),
        shared,
    )


def _find_shared(gains: Floats) -> float:
    """Return the mean covariance of two gains of one target over draws [B, R], at least 0."""
    count = gains.shape[1]
    if count < 2:
        return 0.0
    whole = float(gains.sum(axis=1).var()) - float(gains.var(axis=0).sum())
    return max(whole / (count * (count - 1)), 0.0)
