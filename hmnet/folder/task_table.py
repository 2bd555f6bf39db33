"""What each task's data is, as a table (the paper's Table 4): `relevance tasks`."""

from __future__ import annotations

import pandas as pd

from hmnet.data.task_data import describe
from hmnet.folder.freshness import Sources, deriving, note_study
from hmnet.folder.outputs import Output
from hmnet.folder.task_format import TASKS
from hmnet.jobs.prepared import PreparedStudy
from hmnet.storage.documents import to_plain
from hmnet.storage.tables import write_table


def write_tasks(output: Output, prepared: PreparedStudy) -> pd.DataFrame:
    """Write `tasks.parquet`; return its table, see `tabulate_tasks`."""
    table = tabulate_tasks(prepared)
    provenance = {
        "model": to_plain(prepared.model),
        "rows": to_plain(prepared.study.rows),
        "data": {name: data.fingerprint for name, data in prepared.data.items()},
    }
    with deriving(Sources("relevance tasks", note_study(output, prepared.study, ("rows",)))):
        write_table(output.tasks, table, TASKS.schema, provenance)
    return table


def tabulate_tasks(prepared: PreparedStudy) -> pd.DataFrame:
    """Return a row per task and split.

    Columns: `task`, `category`, `split`, `rows`, `labels` (classes; 1 for a regression),
    `median_tokens` and `p95_tokens` of an example, special tokens included, as it is trained on;
    `truncated_frac`, the share of examples that were cut to the most tokens; `metrics`, the
    primary one first, separated by a slash.
    """
    return pd.DataFrame(
        [
            {
                "task": name,
                "category": data.task.category,
                "split": split,
                "rows": facts["rows"],
                "labels": data.task.num_outputs,
                "median_tokens": facts["median_tokens"],
                "p95_tokens": facts["p95_tokens"],
                "truncated_frac": facts["truncated_frac"],
                "metrics": "/".join(data.task.all_metrics),
            }
            for name, data in prepared.data.items()
            for split, facts in describe(data).items()
        ]
    )
