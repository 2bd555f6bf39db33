"""The commands that a report names: what makes a missing stage, and what to run next."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hmnet.folder.outputs import DEFAULT_FOLDER
from hmnet.study.hierarchy import HierarchySpec
from reports.inputs.report_inputs import ReportInputs

WISHED_SEEDS = 3
"""Seeds below which a matrix says little about itself."""

STAGES = {
    "vocabulary": "relevance vocab",
    "pairwise": "relevance pairwise",
    "groups": "relevance cluster --k 3",
    "training": "hmnet train --groups groups.json",
    "comparison": "hmnet compare",
}


LONGER, MOST_EPOCHS = 4, 50
"""How many times as many epochs are advised where tasks learned too little, and most of them."""
ADVISED = "relevance cluster --k auto"
"""What groups tasks by measured gains: their number is part of the answer."""


@dataclass(frozen=True)
class NextStep:
    """A command, and what it is good for."""

    command: str
    reason: str


def command_for(stage: str, name: str) -> str:
    """Return the command that makes a stage of the output folder called `name`."""
    return in_folder(STAGES[stage], name)


def in_folder(command: str, name: str) -> str:
    """Return a command that works on the output folder called `name`."""
    command = command.replace("groups.json", shlex.quote(f"{name}/groups.json"))
    return command if name == DEFAULT_FOLDER else f"{command} --out {shlex.quote(name)}"


def plan_next(inputs: ReportInputs) -> list[NextStep]:
    """Return what to run next, the most useful first; empty when every stage is there."""
    steps = [
        NextStep(in_folder(command, inputs.name), reason) for command, reason in _list_steps(inputs)
    ]
    return [*_longer_step(inputs), *steps, *_export_step(inputs)]


def _longer_step(inputs: ReportInputs) -> Iterator[NextStep]:
    """Yield how to train longer, where single runs learned nothing or less than their words say."""
    lost = list_unlearned(inputs)
    done = [r for r in inputs.runs.of_kind("single-task") if r.spec.names[0] in lost]
    if not done or inputs.imported is not None:
        return
    steps = {r.spec.names[0]: r.result.steps for r in done}
    most = min(LONGER * max(r.spec.training.epochs for r in done), MOST_EPOCHS)
    folder = shlex.quote(inputs.name)
    named = ", ".join(f"{task} ({count:,} steps)" for task, count in sorted(steps.items()))
    yield NextStep(
        f"relevance pairwise --study {folder}/study.toml --set training.epochs={most} "
        f"--out {shlex.quote(f'{inputs.name}-longer')}",
        f"trains longer, in a folder of its own: alone, {named} learned too little for gains to "
        "mean much",
    )


def list_unlearned(inputs: ReportInputs) -> list[str]:
    """Return the targets that, alone, are no better than a constant answer or their words."""
    if inputs.targets is None:
        return []
    columns = (inputs.targets[name] for name in ("task", "single", "beats"))
    return [
        str(task)
        for task, single, beats in zip(*columns, strict=True)
        if beats == "no" or single <= inputs.words.get(str(task), -math.inf)
    ]


def _list_steps(inputs: ReportInputs) -> Iterator[tuple[str, str]]:
    yield from _measure_steps(inputs)
    yield from _use_steps(inputs)


def _measure_steps(inputs: ReportInputs) -> Iterator[tuple[str, str]]:
    if (table := inputs.gains) is None:
        if inputs.vocabulary is None:
            yield STAGES["vocabulary"], "measures shared vocabulary; takes seconds, trains nothing"
        yield (
            STAGES["pairwise"],
            "trains every task alone and with every other one, and measures who gains and who "
            "loses; add --dry-run to see first how long it takes",
        )
        return
    if inputs.imported is not None:
        yield from _import_steps(inputs, inputs.imported)
        return
    if table.missing or inputs.runs.failed:
        yield STAGES["pairwise"], "runs again only what failed or was not finished"
    if table.least_runs is not None and table.least_runs < WISHED_SEEDS:
        yield (
            f"{STAGES['pairwise']} --seeds {WISHED_SEEDS}",
            "repeats each run with other seeds, which shows how much of a gain is noise",
        )


def _import_steps(inputs: ReportInputs, file: str) -> Iterator[tuple[str, str]]:
    """Yield what more of the results that were taken over would say."""
    table = inputs.gains
    if table is not None and not table.is_tested:
        yield (
            f"relevance import {shlex.quote(file)}",
            "with a score for each of two seeds or more, or dev predictions, in the same file: "
            "says which gains are beyond noise",
        )


def _use_steps(inputs: ReportInputs) -> Iterator[tuple[str, str]]:
    if inputs.groups is None:
        if inputs.pairwise is not None:
            yield ADVISED, "says which tasks to train together, if any, and what speaks for it"
        elif inputs.matrices:
            yield STAGES["groups"], "groups the tasks, so that HMNet can use them"
        return
    if inputs.imported is not None and not inputs.runs.done:
        return  # without rows there is nothing to train on
    if not inputs.trained:
        yield _training_step(inputs)
    if inputs.comparison is None:
        yield (
            STAGES["comparison"],
            "scores HMNet beside single-task and multi-task training on the same tasks",
        )


def _training_step(inputs: ReportInputs) -> tuple[str, str]:
    """Return how to train as the groups advise: together, in groups, or each task alone."""
    assert inputs.groups is not None  # noqa: S101 (for mypy; callers look)
    decision = inputs.groups.origin.get("decision")
    verdict = decision.get("verdict") if isinstance(decision, Mapping) else "groups"
    command = STAGES["training"]
    if verdict == "groups":
        return command, "trains one HMNet for all tasks with these groups"
    layers = {sum(to_layers(run.spec.hierarchy)) for run in inputs.runs.done}
    depth = layers.pop() if len(layers) == 1 else None
    if verdict == "all":
        shared = "" if depth is None else f" --hierarchy {depth},0,0"
        return command + shared, "trains all tasks together, as the gains advise"
    own = "" if depth is None else f" --hierarchy 0,0,{depth}"
    return command + own, "trains each task on layers of its own, as the gains advise"


def to_layers(hierarchy: HierarchySpec) -> tuple[int, int, int]:
    """Return how many layers all tasks share, groups share, and tasks have of their own."""
    return hierarchy.shared, hierarchy.cluster, hierarchy.task


def _export_step(inputs: ReportInputs) -> Iterator[NextStep]:
    """Yield how to take a stored model out, once there is one to compare."""
    stored = [r for r in inputs.trained if (r.folder / "model").is_dir()]
    if stored and inputs.comparison is not None:
        run = stored[0]
        source = "" if inputs.name == DEFAULT_FOLDER else f" --out {shlex.quote(inputs.name)}"
        yield NextStep(
            f"hmnet export {run.run_id} --task {run.spec.names[0]} --to my-model{source}",
            "writes a task's path through HMNet as an ordinary Hugging Face model",
        )
