"""Runs that a run begins with: found in the store, and checked before anything is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from hmnet.errors import raise_problems
from hmnet.runs.job import Job
from hmnet.runs.spec import RunSpec
from hmnet.runs.store import RunStore
from hmnet.study.hierarchy import Hierarchy
from hmnet.study.tasks import Task

_WAY_ON = "train it with `hmnet train`, or run the sweep with `--keep-models`."


def begin_with(job: Job, store: RunStore, run: str) -> Job:
    """Return the job that begins with the weights of a finished run.

    Args:
        run: its id, the start of it, or its folder.

    Raises:
        InputError: if there is no such run, it kept no model, or the model does not fit.
    """
    folder, parent = store.find(run)
    problems = list(find_parent_misfits(job.spec, parent))
    if not (folder / "result.json").exists() or not (folder / "model" / "hmnet.json").exists():
        problems.append(
            f"Parameter `start_from` should name a finished run that kept its model. Found "
            f"`{run}` without one; {_WAY_ON}"
        )
    raise_problems(problems)
    spec = dataclasses.replace(job.spec, start_from=parent.run_id)
    return dataclasses.replace(job, spec=spec, parents={**job.parents, parent.run_id: folder})


def find_parent_misfits(spec: RunSpec, parent: RunSpec) -> Iterator[str]:
    """Yield a sentence for each reason why a run cannot begin with the weights of another."""
    name = f"`{parent.run_id}`"
    if parent.system != "hierarchy":
        yield f"Parameter `start_from` should name no SkillNet-style run. Found {name}."
    if parent.model.fingerprint != spec.model.fingerprint:
        yield (
            f"Parameter `start_from` should name a run of the encoder `{spec.model.name}`. Found "
            f"{name} of `{parent.model.name}`."
        )
    theirs = {task.name: task for task in parent.tasks}
    for task in spec.tasks:
        if task.name not in theirs and task.name in spec.trained:
            continue  # which is new
        if task.name not in theirs or _list_outputs(theirs[task.name]) != _list_outputs(task):
            yield (
                f"Parameter `start_from` should name a run of task `{task.name}` with the same "
                f"labels. Found {name} of {', '.join(theirs)}."
            )
    if not _shares_at_least(parent, spec):
        yield (
            "Parameter `start_from` should name a run whose tasks share at least what they are to "
            f"share now. Found {name} of {parent.varied}."
        )


def _list_outputs(task: Task) -> tuple[object, ...]:
    return (task.kind, *task.labels)


def _shares_at_least(parent: RunSpec, spec: RunSpec) -> bool:
    first = spec.list_hierarchies()[0]
    if parent.training.stopping == "task":  # its paths share nothing, not even embeddings
        return len(spec.tasks) == 1
    parts_blocks = spec.duplicate == "ffn" and len(spec.tasks) > 1  # and shares attention
    if parts_blocks and parent.duplicate == "layer" and not parent.shares_all:
        return False
    known = set(parent.names) if spec.trained else set(spec.names)
    return all(
        owners & known <= theirs
        for layer in range(first.depth)
        for owners in _list_owners(first, spec.groups, layer)
        for theirs in _list_owners(parent.varied, parent.groups, layer)
        if owners & theirs
    )


def _list_owners(
    hierarchy: Hierarchy, groups: tuple[tuple[str, ...], ...], layer: int
) -> list[set[str]]:
    """Return the sets of tasks that share a copy of a layer."""
    owners: dict[object, set[str]] = {}
    for group in groups:
        for name in group:
            own = hierarchy.of(name)
            is_grouped = layer < own.shared + own.cluster
            owner = "all" if layer < own.shared else group if is_grouped else (name, "alone")
            owners.setdefault(owner, set()).add(name)
    return list(owners.values())
