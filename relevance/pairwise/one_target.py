"""One task, and which others help it: its own runs and one pair with each source.

    plan = plan_target(prepared, "rte", seeds=(0, 1, 2))
    ranking = rank_sources(prepared, plan, store)
    ranking.decision                # "add mnli (+16.0 %, +9.1 % to +23.0 %); nothing else is ..."

T tasks take S (1 + (T - 1)) runs, in place of a sweep's S (T + T (T - 1) / 2); they are the sweep's
own, so that neither does again what the other has done. Runs after each source's own
(`relevance.pairwise.target_plan`) are ranked among them. The gains, their intervals and tests are
those of `analysis.gains.bootstrap`, for this one column.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.gains.bootstrap import GainBootstrap, bootstrap_targets, score_target
from analysis.gains.power import POWER, Detection, find_level, tabulate_power
from analysis.levels import DRAWS, SIGNIFICANCE
from analysis.scores.baselines import has_learned, measure_majority
from analysis.scores.collapse import CollapsedRun, find_collapsed
from analysis.scores.predictions import Predictions, collect_predictions
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import PreparedStudy, describe_study
from hmnet.runs.store import RunStore
from hmnet.storage.tables import write_table
from hmnet.study.metrics import orient
from relevance.pairwise.one_target_format import ONE_TARGET, Help
from relevance.pairwise.target_plan import TargetPlan


@dataclass(frozen=True, eq=False)
class TargetRanking:
    """What sources do to one target.

    Attributes:
        target: its name.
        metric: what its scores are; those of an error are negative.
        table: a row per source, the best one first (`ONE_TARGET`).
        single: mean score of the target alone.
        majority: that of the best constant answer.
        detectable: smallest gain in score that would have been found, NaN where not known.
        decision: what to do, in a sentence.
        collapsed: runs that did not learn the target.
        study: what the runs are of, for provenance.
    """

    target: str
    metric: str
    table: pd.DataFrame
    single: float
    majority: float
    detectable: float
    decision: str
    collapsed: Sequence[CollapsedRun]
    study: Mapping[str, object]

    def write(self, output: Output) -> None:
        """Write the table, with the decision in its footer."""
        provenance = {
            **self.study,
            "target": self.target,
            "decision": self.decision,
            "single": self.single,
            "majority": self.majority,
            "detectable": None if math.isnan(self.detectable) else self.detectable,
        }
        write_table(output.one_target(self.target), self.table, ONE_TARGET.schema, provenance)


def rank_sources(
    prepared: PreparedStudy,
    plan: TargetPlan,
    store: RunStore,
    draws: int = DRAWS,
    seed: int = 0,
) -> TargetRanking:
    """Rank a target's sources by the runs of its plan that are done.

    Raises:
        InputError: if no single run, or no pair, is done.
    """
    target, predictions = plan.target, read_target(plan, store)
    found = bootstrap_targets(
        [score_target(predictions, draws, seed)], draws, seed, tasks=(target, *predictions.joint)
    )
    single, majority = float(found.single[0]), measure_majority(predictions)
    ways = {str(help_): help_ for help_, _ in plan.helped}
    table = _tabulate(found, ways, learned=has_learned(single, majority))
    power = tabulate_power(found, Detection(alpha=find_level(found)))
    detectable = float(power["detectable"].iloc[0])
    return TargetRanking(
        target=target,
        metric=predictions.metric,
        table=table,
        single=single,
        majority=majority,
        detectable=detectable,
        decision=decide_sources(target, table, _scale_detectable(found, detectable)),
        collapsed=find_collapsed(predictions, _read_losses(plan, store)),
        study=describe_study(prepared),
    )


def _scale_detectable(found: GainBootstrap, detectable: float) -> float:
    """Return the detectable gain in points, or in shares of the error that it is one of."""
    return detectable / -float(found.single[0]) if found.is_error[0] else detectable


def read_target(plan: TargetPlan, store: RunStore) -> Predictions:
    """Read the dev predictions for the target of every finished run, by the name of its help."""
    arms: dict[str, dict[int, pd.DataFrame]] = {"": {}}
    for (name, seed), job in plan.runs.items():
        if store.is_done(job.spec):
            arms.setdefault(name, {})[seed] = store.predictions(job.spec, plan.target)
    singles = arms.pop("")
    if not singles or not arms:
        lacking = "single run" if not singles else "pair"
        raise InputError(f"Task `{plan.target}` should have a finished {lacking}. Found none.")
    task = next(t for job in plan.jobs for t in job.spec.tasks if t.name == plan.target)
    return collect_predictions(task, singles, arms)


def _read_losses(plan: TargetPlan, store: RunStore) -> dict[tuple[str, int], float]:
    done = {key: job for key, job in plan.runs.items() if store.is_done(job.spec)}
    return {key: store.late_losses(job.spec)[plan.target] for key, job in done.items()}


def _tabulate(found: GainBootstrap, ways: Mapping[str, Help], *, learned: bool) -> pd.DataFrame:
    """Return a row per source and way; the target is the bootstrap's first task."""
    helps = [ways.get(name, Help(name)) for name in found.tasks[1:]]
    low, high = (ends[1:, 0] for ends in found.interval())
    table = pd.DataFrame(
        {
            "source": [each.source for each in helps],
            "way": [each.way for each in helps],
            "gain": found.gains()[1:, 0],
            "low": low,
            "high": high,
            "points": found.gains("points")[1:, 0],
            "p_value": found.p_values[1:, 0],
            "q_value": found.q_values()[1:, 0],
            "n_seeds": found.n_joint[1:, 0],
        }
    )
    has_seeds = found.has_seed_noise[1:, 0]
    verdicts = [_judge(*row, learned=learned) for row in zip(
        table["points"], table["q_value"], has_seeds, strict=True
    )]  # fmt: skip
    table = table.assign(verdict=verdicts)
    return table.sort_values(
        ["points", "source", "way"], ascending=[False, True, False], ignore_index=True
    )


def _judge(points: float, q_value: float, has_seeds: np.bool_, *, learned: bool) -> str:
    if not learned:
        return "no baseline"
    if not has_seeds:
        return "not tested"
    if not q_value < SIGNIFICANCE:
        return "within noise"
    return "helps" if points > 0 else "hurts"


def decide_sources(target: str, table: pd.DataFrame, detectable: float = math.nan) -> str:
    """Return what to do for a target, in a sentence.

    Args:
        table: its sources, the best one first, as `TargetRanking.table` holds them.
        detectable: smallest gain in score that would have been found.
    """
    if (table["verdict"] == "no baseline").all():
        return (
            f"not decided: alone, {target} is no better than a constant answer, so that there is "
            "nothing to gain on; train it longer, or on more rows"
        )
    if (table["verdict"] == "not tested").all():
        return "not decided: one seed of each run does not tell help from noise; give --seeds 3"
    helps = [row for _, row in table[table["verdict"] == "helps"].iterrows()]
    hurts = ", ".join(_name(row) for _, row in table[table["verdict"] == "hurts"].iterrows())
    loss = f"; {hurts} would hurt" if hurts else ""
    if not helps:
        return f"nothing helps {target}: no gain is beyond noise{_show_power(detectable)}{loss}"
    best, *others = helps
    others_named = ", ".join(_name(row) for row in others)
    rest = "nothing else is beyond noise"
    if others_named:
        words = ("helps", "was") if len(others) == 1 else ("help", "were")
        rest = f"{others_named} {words[0]} too, beyond noise, and {words[1]} not tried with it"
    advice = "train on" if best["way"] == "after" else "add"
    return f"{advice} {_name(best)} ({_show(best)}); {rest}{loss}"


def _name(row: pd.Series) -> str:
    return str(Help(str(row["source"]), row["way"]))


def _show_power(detectable: float) -> str:
    if math.isnan(detectable):
        return ""
    return f" (one of {100 * detectable:.1f} points would be found {POWER:.0%} of the time)"


def _show(row: pd.Series) -> str:
    if math.isnan(row["gain"]):
        return f"{100 * row['points']:+.1f} points"
    text = f"{row['gain']:+.1%}"
    return text if math.isnan(row["low"]) else f"{text}, {row['low']:+.1%} to {row['high']:+.1%}"


def describe_ranking(ranking: TargetRanking) -> Iterator[str]:
    """Yield the ranked sources, and the decision, in lines for the terminal."""
    single, majority = (orient(ranking.metric, each) for each in (ranking.single, ranking.majority))
    yield f"{ranking.target} alone scores {single:.3f}, a constant answer {majority:.3f}"
    for run in ranking.collapsed:
        where = f"with {run.partner}" if run.partner else "alone"
        yield f"did not learn {ranking.target}: the run {where}, seed {run.seed}"
    yield f"gain of {ranking.target} from each source, %, with its 95 % interval"
    shares = {name: 100 * ranking.table[name] for name in ("gain", "low", "high")}
    names = [_name(row) for _, row in ranking.table.iterrows()]
    shown = ranking.table.assign(**shares, source=names)
    shown = shown[["source", "gain", "low", "high", "q_value", "verdict"]]
    yield shown.round({"gain": 1, "low": 1, "high": 1, "q_value": 3}).to_string(index=False)
    yield ranking.decision
