"""Where tasks part, measured: how far their gradients agree in each layer of a multi-task run.

The run is one that shares all layers: one that is named, or a short one of a single epoch that is
trained for this. At the end of a long one the tasks' gradients add up to nothing, so that they
disagree however well they go together.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.levels import take_interval
from analysis.partitions.shared_layers import LayerAgreement, measure_agreement
from hmnet.errors import InputError
from hmnet.folder.freshness import Sources, deriving, note_runs, note_study
from hmnet.folder.outputs import Output
from hmnet.jobs.cost import estimate_work
from hmnet.jobs.prepared import PreparedStudy, describe_study
from hmnet.jobs.progress_line import SweepProgress
from hmnet.jobs.schedule import raise_failures, run_jobs
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Job
from hmnet.runs.spec import RunSpec
from hmnet.storage.tables import write_table
from hmnet.study.settings import TrainingSettings
from relevance.groups.group_format import LAYER_AGREEMENT

PROBE_EPOCHS = 1
MOST_PAIRS = 3


def plan_probe(prepared: PreparedStudy) -> Job:
    """Return the job of the short run: all tasks, all layers shared, with the first seed."""
    settings = prepared.study.training
    plain = TrainingSettings()
    short = dataclasses.replace(
        settings,
        epochs=PROBE_EPOCHS,
        **{name: getattr(plain, name) for name in _EXTRAS},
    )
    study = dataclasses.replace(prepared.study, training=short)
    probed = dataclasses.replace(prepared, study=study)
    return probed.shared(study.tasks, study.seeds[0], keep_model=True)


_EXTRAS = ("averaging", "averaging_steps", "stopping", "distillation")
"""Settings that say nothing of how tasks go together."""


def probe_layers(
    output: Output, prepared: PreparedStudy, workers: Workers, run: str | None = None
) -> tuple[LayerAgreement, RunSpec]:
    """Return the agreement of the study's tasks in its order, from a named or the short run.

    The short run is trained where it is not done. Writes `layer-agreement.parquet`.

    Raises:
        InputError: if the named run is of other tasks, kept no model, or parts layers.
    """
    folder, spec = _find_run(output, prepared, workers, run)
    from hmnet.models.saved import load_model
    from hmnet.training.layer_gradients import sketch_gradients

    model = load_model(folder / "model", spec)
    sketches = sketch_gradients(model, prepared.data)
    names = list(prepared.study.tasks)
    order = [model.tasks.index(name) for name in names]
    agreement = measure_agreement(sketches[:, order])
    provenance = {**describe_study(prepared), "run": spec.run_id, "batches": sketches.shape[2]}
    sources = Sources(
        "relevance advise",
        note_study(output, prepared.study),
        runs=note_runs(output, [spec.run_id]) if folder.parent == output.runs.folder else {},
    )
    with deriving(sources):
        table = tabulate_agreement(agreement, names)
        write_table(output.layer_agreement, table, LAYER_AGREEMENT.schema, provenance)
    return agreement, spec


def _find_run(
    output: Output, prepared: PreparedStudy, workers: Workers, run: str | None
) -> tuple[Path, RunSpec]:
    if run is None:
        job = plan_probe(prepared)
        summary = run_jobs(
            [job],
            output.runs,
            workers,
            cost=lambda each: estimate_work(each, prepared.data),
            watcher=SweepProgress(output.progress),
        )
        raise_failures(summary)
        return output.runs.path(job.spec), job.spec
    folder, spec = output.runs.find(run)
    if set(spec.names) != set(prepared.study.tasks) or not spec.shares_all:
        raise InputError(
            "Parameter `run` should name a run of the study's tasks that share all layers. Found "
            f"`{spec.run_id}` of {', '.join(spec.names)} with {{{spec.varied}}}."
        )
    return folder, spec


def tabulate_agreement(agreement: LayerAgreement, names: list[str]) -> pd.DataFrame:
    """Return the rows of `layer-agreement.parquet`, each pair of tasks once."""
    low, high = take_interval(np.nan_to_num(agreement.halves, nan=0.0))
    rows = [
        (layer + 1, names[s], names[t], value[s, t], low[layer, s, t], high[layer, s, t])
        for layer, value in enumerate(agreement.values)
        for s in range(len(names))
        for t in range(s + 1, len(names))
    ]
    return pd.DataFrame(rows, columns=list(LAYER_AGREEMENT.columns))


def find_pair_depths(agreement: LayerAgreement, names: Sequence[str]) -> dict[tuple[str, str], int]:
    """Return two tasks to the number of lower layers in which they do not disagree."""
    found = {}
    for s, t in itertools.combinations(range(len(names)), 2):
        parts = ~(agreement.values[:, s, t] >= 0)
        found[names[s], names[t]] = int(np.argmax(parts)) if parts.any() else len(parts)
    return found


def describe_pair_depths(agreement: LayerAgreement, names: Sequence[str]) -> Iterator[str]:
    """Yield where the tasks that part first do so."""
    found, depth = find_pair_depths(agreement, names), len(agreement.values)
    first = sorted(found, key=lambda pair: (found[pair], pair))[:MOST_PAIRS]
    shown = [
        f"{one} and {other} {f'after {found[one, other]}' if found[one, other] else 'at once'}"
        for one, other in first
        if found[one, other] < depth
    ]
    if shown:
        yield f"gradients disagree first: {', '.join(shown)} of {depth} layers"
