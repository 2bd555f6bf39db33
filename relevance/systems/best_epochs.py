"""Systems at their best number of epochs, by training rows that are held out for choosing.

Dev rows have no part in the choice, nor have rows that are held out for judging. A number is chosen
for all seeds together: what is trained alone gets one for each task, what is trained together one
for all.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from hmnet.errors import InputError
from hmnet.jobs.prepared import PreparedStudy
from hmnet.runs.store import RunStore
from relevance.systems.systems import System, plan_system


def choose_all_epochs(
    prepared: PreparedStudy, systems: Sequence[System], store: RunStore
) -> list[System]:
    """Return the systems, those with several numbers of epochs with the best ones chosen."""
    return [choose_epochs(prepared, system, store) for system in systems]


def choose_epochs(prepared: PreparedStudy, system: System, store: RunStore) -> System:
    """Return a system with its number of epochs chosen, of equal ones the smallest.

    A number of which a run is not done is out of the question; without any that is done, it is the
    smallest.

    Raises:
        InputError: if a run has no score on held-out rows.
    """
    if len(system.epochs) < 2:
        return system
    tasks = list(prepared.study.tasks)
    tried = {e: _score(prepared, system.train_for(e), store) for e in sorted(system.epochs)}
    if system.hierarchy is None and not system.is_skillnet:
        chosen = {name: _find_best(tried, [name]) for name in tasks}
    else:
        chosen = dict.fromkeys(tasks, _find_best(tried, tasks))
    return dataclasses.replace(system, chosen=chosen)


def _find_best(tried: Mapping[int, Mapping[str, float]], tasks: Sequence[str]) -> int:
    """Return the number with the highest mean over tasks."""
    means = {e: _average(scores.get(name, -math.inf) for name in tasks)
             for e, scores in tried.items()}  # fmt: skip
    return max(means, key=lambda epochs: means[epochs])


def _average(values: Iterable[float]) -> float:
    found = list(values)
    return -math.inf if -math.inf in found else fmean(found)


def _score(prepared: PreparedStudy, system: System, store: RunStore) -> dict[str, float]:
    """Return task to its mean score over seeds on held-out rows; without those not done."""
    found: dict[str, list[float]] = {}
    for seed in prepared.study.seeds:
        for job in plan_system(prepared, system, seed):
            for name in job.spec.names if store.is_done(job.spec) else ():
                scores = store.held_out(job.spec)
                if name not in scores:
                    raise InputError(
                        f"Run `{job.spec.run_id}` should have scores on held-out training rows. "
                        "Found none: it is of an earlier version. Remove its folder, and it is "
                        "done again."
                    )
                found.setdefault(name, []).append(scores[name])
    count = len(prepared.study.seeds)
    return {name: fmean(scores) for name, scores in found.items() if len(scores) == count}


def describe_epochs(systems: Sequence[System]) -> list[str]:
    """Return a line for each system that chose, with what it chose."""
    return [
        f"{system.name}: of {', '.join(map(str, system.epochs))} epochs the best by held-out "
        f"training rows: {_list_chosen(system.chosen)}"
        for system in systems
        if system.chosen
    ]


def _list_chosen(chosen: Mapping[str, int]) -> str:
    if len(set(chosen.values())) == 1:
        return str(next(iter(chosen.values())))
    return ", ".join(f"{name} {epochs}" for name, epochs in chosen.items())
