"""The README of a whole HMNet: its tasks, their scores, and how to predict with it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from hmnet.runs.result import RunResult
from hmnet.runs.spec import RunSpec
from hmnet.study.tasks import Task

_USE = """## Predict

```bash
pip install task-relevance
hmnet serve .                                    # every task over HTTP
hmnet predict . --task all --input rows.jsonl    # "." is this folder
```
"""


def is_local(name: str) -> bool:
    """Tell whether an encoder's name is a folder of a machine, not an id of the hub."""
    return os.path.isabs(name) or name.startswith((".", "~")) or Path(name).exists()  # noqa: PTH117


def write_whole_card(spec: RunSpec, result: RunResult, licence: str | None) -> str:
    """Return the card in Markdown; it names no path of the machine that it was made on."""
    head = ["---", "library_name: task-relevance", "tags: [multi-task-learning, hmnet]"]
    if licence is not None:
        head.append(f"license: {json.dumps(licence)}")
    if not is_local(spec.model.name):
        head.append(f"base_model: {json.dumps(spec.model.name)}")
    if sources := _list_sources(spec):
        head.append(f"datasets: {json.dumps(sources)}")
    local = is_local(spec.model.name)
    encoder = Path(spec.model.name).name if local else spec.model.name
    groups = "; ".join(", ".join(group) for group in spec.groups)
    tasks = "\n".join(_describe_task(task, result) for task in spec.tasks)
    return "\n".join(
        [
            *head,
            "---",
            f"# HMNet of {len(spec.tasks)} tasks",
            "",
            f"One encoder for {len(spec.tasks)} tasks, {{{spec.varied}}}: layers that all tasks, "
            f"each group and each task have. Groups: {groups}.",
            "",
            f"Encoder: `{encoder}`; run `{spec.run_id}`; seed {spec.seed}. One run: its "
            "scores have the noise of a seed.",
            "",
            "| task | inputs | labels | metric | dev score | dev rows |",
            "| --- | --- | --- | --- | --- | --- |",
            tasks,
            "",
            _USE,
        ]
    )


def _describe_task(task: Task, result: RunResult) -> str:
    labels = ", ".join(str(label) for label in task.labels[:8]) or "one value"
    more = f", and {len(task.labels) - 8} more" if len(task.labels) > 8 else ""
    rows = sum(result.n_dev[task.name].values())
    score = result.primary[task.name]
    cells = (
        task.name,
        ", ".join(task.text),
        labels + more,
        task.metric,
        f"{score:.4f}",
        f"{rows:,}",
    )
    return f"| {' | '.join(cells)} |"


def _list_sources(spec: RunSpec) -> list[str]:
    found = {task.source.repository for task in spec.tasks if task.source.repository}
    return sorted(name for name in found if not is_local(name))
