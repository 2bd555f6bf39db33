"""What an extended run takes over: the results of the tasks that it leaves as they are."""

from __future__ import annotations

from dataclasses import replace

from hmnet.runs.job import Job
from hmnet.runs.result import RunResult
from hmnet.runs.spec import read_spec
from hmnet.runs.store import RunStore


def take_over_results(result: RunResult, job: Job, store: RunStore) -> RunResult:
    """Return the result of a run with those of all tasks that it did not train.

    Their paths are those of the run that it began with, and so are scores and predictions, which
    are copied into this run's folder.
    """
    spec = job.spec
    folder = job.parents[str(spec.start_from)]
    before, parent = RunStore(folder.parent), read_spec(folder / "spec.json")
    theirs = before.result(parent)
    found = {name: result if name in spec.trained else theirs for name in spec.names}
    for name in spec.names:
        if name not in spec.trained:
            store.write_predictions(spec, name, before.predictions(parent, name))
    return replace(
        result,
        scores={name: each.scores[name] for name, each in found.items()},
        primary={name: each.primary[name] for name, each in found.items()},
        n_dev={name: each.n_dev[name] for name, each in found.items()},
    )
