"""The study: what every command needs to know, in one file beside the outputs.

    schema = "study/1"
    tasks = ["rte", "mrpc", "mine"]     # default: the paper's 13, then every task defined below
    model = "google-bert/bert-base-uncased"
    revision = "86b5e09..."             # its commit on the hub
    data = "folder"                     # <task>/{train,validation}.* in place of the hub
    seeds = [0, 1, 2]
    [training]                          # fields of `TrainingSettings`
    epochs = 3
    [rows]                              # fields of `DataSettings`
    max_length = 512
    [task.mine]                         # fields of `Task`; replaces a built-in task of that name
    text = ["headline", "body"]
    labels = ["no", "yes"]
    source = { folder = "mine" }        # or { repository = ..., config = ..., revision = ... }

Relative paths are relative to the study file, those of flags to the working directory.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import tomli_w
from pydantic import Field
from pydantic.dataclasses import dataclass

from hmnet.errors import raise_problems
from hmnet.storage.documents import to_plain
from hmnet.storage.files import write_bytes
from hmnet.study.settings import STRICT, DataSettings, TrainingSettings
from hmnet.study.study_file import (
    PAPER_MODEL,
    STUDY_SCHEMA,
    Seeds,
    Setting,
    Table,
    Text,
    read_study_file,
)
from hmnet.study.tasks import PAPER_TASKS, Task

STUDY_FILE = "study.toml"


PAPER_REVISION = "86b5e0934494bd15c9632b12f734a8a67f723594"

_HEADER = "# The study of this folder: commands read it, and flags override it.\n"


@dataclass(frozen=True, config=STRICT)
class Study:
    """The tasks, the encoder and the settings of a study.

    Attributes:
        tasks: task name to task, in the order of every table.
        model: hub id or local folder of the pretrained encoder.
        revision: its commit on the hub; None for the newest (of the paper's encoder: the pinned
            one).
        data_folder: folder with `<task>/{train,validation}.{parquet,csv,jsonl}` in place of the
            hub; None for the hub.
        training: optimisation settings.
        rows: how rows become tokens.
        seeds: one run of everything per seed.
        unused: the user's tasks that are defined but not among `tasks`.
    """

    tasks: Annotated[Mapping[str, Task], Field(min_length=1)] = Field(
        default_factory=lambda: dict(PAPER_TASKS)
    )
    model: Text = PAPER_MODEL
    revision: Text | None = None
    data_folder: Path | None = None
    training: TrainingSettings = TrainingSettings()
    rows: DataSettings = DataSettings()
    seeds: Seeds = (0,)
    unused: Mapping[str, Task] = Field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.revision is None and self.model == PAPER_MODEL:
            object.__setattr__(self, "revision", PAPER_REVISION)


def load_study(path: Path | None, overrides: Mapping[str, Setting] | None = None) -> Study:
    """Read a study file (None: the defaults), then apply what flags override.

    Args:
        path: the study file.
        overrides: values by dotted key, such as `training.epochs`; None is not an override.

    Raises:
        InputError: with every problem, and the closest names for unknown keys and tasks.
    """
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    file = read_study_file(path, given)
    tasks = file.selected
    return Study(
        tasks=tasks,
        model=file.model,
        revision=file.revision,
        data_folder=None if file.data is None else Path(file.data),
        training=file.training,
        rows=file.rows,
        seeds=file.seeds,
        unused={name: task for name, task in file.task.items() if name not in tasks},
    )


def resolve_study(
    out: Path, study_file: Path | None = None, overrides: Mapping[str, Setting] | None = None
) -> Study:
    """Return the study of an output folder, and record it there the first time.

    The file is `study_file`, else `<out>/study.toml`, else `./study.toml`, else the defaults;
    flags override it. Where `<out>/study.toml` is absent it is written, so that later commands
    need no flags.
    """
    recorded = out / STUDY_FILE
    if study_file is None:
        study_file = next((p for p in (recorded, Path(STUDY_FILE)) if p.exists()), None)
    study = load_study(study_file, overrides)
    if not recorded.exists():
        write_study(recorded, study)
    return study


def write_study(path: Path, study: Study) -> None:
    """Write a study file that `load_study` reads back as the same study; paths are absolute."""
    write_bytes(path, (_HEADER + tomli_w.dumps(_to_toml(study))).encode())


def parse_settings(settings: Sequence[str]) -> Table:
    """Read `KEY=VALUE` pairs of the command line; a value is TOML, or else taken as text.

    >>> parse_settings(["training.epochs=1", "model=FacebookAI/roberta-base"])
    {'training.epochs': 1, 'model': 'FacebookAI/roberta-base'}

    Raises:
        InputError: for every pair without a key or without `=`.
    """
    pairs = [setting.partition("=") for setting in settings]
    raise_problems(
        f"Parameter `set` should be KEY=VALUE, such as training.epochs=1. Found `{setting}`."
        for setting, (key, equals, _) in zip(settings, pairs, strict=True)
        if not (key.strip() and equals)
    )
    return {key.strip(): _parse_value(value.strip()) for key, _, value in pairs}


def _parse_value(text: str) -> Setting:
    try:
        content = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return content["value"] if len(content) == 1 else text


def _to_toml(study: Study) -> Table:
    folder = study.data_folder
    content = {
        "schema": STUDY_SCHEMA,
        "tasks": list(study.tasks),
        "model": study.model,
        "revision": study.revision,
        "data": None if folder is None else os.path.abspath(folder),  # noqa: PTH100 (keeps links)
        "seeds": list(study.seeds),
        "training": to_plain(study.training),
        "rows": to_plain(study.rows),
    }
    own = [
        task
        for task in (*study.tasks.values(), *study.unused.values())
        if task != PAPER_TASKS.get(task.name)
    ]
    if own:
        content["task"] = {task.name: {**to_plain(task), "name": None} for task in own}
    return _drop_nulls(content)


def _drop_nulls(content: Mapping[str, Setting]) -> Table:
    """Return the content without what TOML cannot say: a missing key is a null."""
    return {
        key: _drop_nulls(value) if isinstance(value, dict) else value
        for key, value in content.items()
        if value is not None
    }
