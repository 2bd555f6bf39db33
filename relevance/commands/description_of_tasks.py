"""`relevance tasks`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.text_tables import format_rows
from hmnet.console.speaking import Shown, wrote
from hmnet.data.raw import load_split
from hmnet.data.summary import summarise
from hmnet.data.task_data import TaskData
from hmnet.data.tokens import tokenise
from hmnet.encoders.locate import load_tokenizer
from hmnet.folder.outputs import Output
from hmnet.folder.task_table import write_tasks
from hmnet.jobs.prepared import PreparedStudy, prepare_study
from hmnet.study.metrics import orient
from hmnet.study.study import Study
from relevance.pairwise.task_check import score_constant, show_counts

MOST_MEASURED = 2000
"""Rows of a split whose length before cutting is measured, evenly spread."""
_UNCUT = 10**6
TITLE = (
    "rows and labels of each split; tokens of an example before it is cut, median and 95 % "
    "quantile; share that is cut"
)


def run_tasks(output: Output, study: Study) -> Iterator[str]:
    """Describe each task's data (Table 4); write `tasks.parquet`."""
    prepared = prepare_study(study, output.data)
    table = write_tasks(output, prepared)
    rows = [row for data in prepared.data.values() for row in _list_splits(prepared, data)]
    yield Shown(format_rows(pd.DataFrame(rows), TITLE), tasks=table)
    for name, data in prepared.data.items():
        metrics = "/".join(data.task.all_metrics)
        constant = orient(data.task.metric, score_constant(data))
        text = f"{name}: {metrics}; a constant answer scores {constant:.3f}"
        counts = {
            split: summarise(part, data.task).label_counts for split, part in data.splits.items()
        }
        lines = [
            f"  labels of {split}: {show_counts(found)}" for split, found in counts.items() if found
        ]
        shown = [{"task": name, "constant": constant, "labels": counts}]
        yield Shown("\n".join([text, *lines]), labels=shown)
    yield wrote(output.tasks)


def _list_splits(prepared: PreparedStudy, data: TaskData) -> Iterator[dict[str, object]]:
    for split, part in data.splits.items():
        if split != "train" and split not in data.task.dev_splits:
            continue
        median, p95 = _measure_lengths(prepared, data, split)
        yield {
            "task": data.task.name,
            "split": split,
            "rows": f"{len(part):,}",
            "labels": data.task.num_outputs,
            "median": f"{median:.0f}",
            "95 %": f"{p95:.0f}",
            "cut": f"{part.truncated / len(part):.1%}",
        }


def _measure_lengths(prepared: PreparedStudy, data: TaskData, split: str) -> tuple[float, float]:
    """Return median and 95 % quantile of an example's tokens as if none were cut."""
    part, study = data.splits[split], prepared.study
    lengths = part.lengths
    if part.truncated:
        raw = load_split(data.task, split, study.data_folder)
        picks = np.linspace(0, len(raw) - 1, min(MOST_MEASURED, len(raw))).round()
        tokenizer = load_tokenizer(prepared.model.name, prepared.model.revision)
        lengths = tokenise(raw.select(np.unique(picks).astype(np.int64)), tokenizer, _UNCUT).lengths
    median, p95 = np.quantile(lengths, (0.5, 0.95))
    return float(median), float(p95)
