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
    [sharing]                           # fields of `SharingSettings`
    stages = [{ share = 0.6, hierarchy = "12,0,0" }, { share = 0.4, hierarchy = "8,2,2" }]
    [[system]]                          # fields of `SystemSettings`, for `hmnet compare`
    name = "averaged"
    averaging = 0.3
    [comparison]                        # fields of `ComparisonSettings`
    epochs = [3, 6]
    [task.mine]                         # fields of `Task`; replaces a built-in task of that name
    text = ["headline", "body"]
    labels = ["no", "yes"]
    source = { folder = "mine" }        # or { repository = ..., config = ..., revision = ... }

Relative paths are relative to the study file, those of flags to the working directory.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import tomli_w
from pydantic import Field
from pydantic.dataclasses import dataclass

from hmnet.errors import InputError, raise_problems, shorten
from hmnet.lazy import call_above
from hmnet.storage.digests import digest_bytes, digest_file
from hmnet.storage.documents import to_plain, write_document
from hmnet.storage.files import write_bytes
from hmnet.study.settings import STRICT, DataSettings, TrainingSettings
from hmnet.study.stages import SharingSettings
from hmnet.study.study_file import (
    PAPER_MODEL,
    STUDY_SCHEMA,
    Seeds,
    Setting,
    Table,
    Text,
    anchor_flags,
    anchor_paths,
    read_study_file,
)
from hmnet.study.study_origin import (
    ORIGIN_FILE,
    ORIGIN_SCHEMA,
    find_project,
    read_origin,
    relate_paths,
    write_origin,
)
from hmnet.study.system_settings import ComparisonSettings, SystemSettings
from hmnet.study.tasks import KNOWN_TASKS, PAPER_TASKS, Task, to_plain_task

STUDY_FILE = "study.toml"

PAPER_REVISION = "86b5e0934494bd15c9632b12f734a8a67f723594"

_LOG = logging.getLogger(__name__)

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
        sharing: how `hmnet train` shares an encoder where no flag says it.
        systems: what `hmnet compare` trains beside single-task and multi-task; none for HMNet with
            all groupings at hand.
        comparison: how they are judged.
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
    sharing: SharingSettings = SharingSettings()
    systems: tuple[SystemSettings, ...] = ()
    comparison: ComparisonSettings = ComparisonSettings()
    unused: Mapping[str, Task] = Field(default_factory=dict)

    from_folder = call_above("hmnet.starting.folder_study", "study_of_folder")

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
        sharing=file.sharing,
        systems=file.system,
        comparison=file.comparison,
        unused={name: task for name, task in file.task.items() if name not in tasks},
    )


def resolve_study(
    out: Path, study_file: Path | None = None, overrides: Mapping[str, Setting] | None = None
) -> Study:
    """Return the study of an output folder, and record it there the first time.

    The file is `study_file`, else `<out>/study.toml`, else `./study.toml`, else the defaults;
    flags override it. Where `<out>/study.toml` is absent it is written, so that later commands
    need no flags. Where the file that it was made from has been edited since, it is made anew with
    the same flags, and what changed is logged. A precision `auto` is the recorded one.

    Raises:
        InputError: also if the recorded file and the one that it was made from were both edited.
    """
    recorded = out / STUDY_FILE
    if recorded.exists():
        _follow_edits(out, study_file)
        return _keep_precision(load_study(study_file or recorded, overrides), recorded)
    if study_file is None and Path(STUDY_FILE).exists():
        study_file = Path(STUDY_FILE)
    return _record(out, study_file, overrides or {})


def _record(out: Path, source: Path | None, flags: Mapping[str, Setting]) -> Study:
    recorded = out / STUDY_FILE
    study = _keep_precision(load_study(source, flags), recorded)
    content = _render(recorded, study, find_project(out, source))
    if not recorded.exists():  # cut off after this, the same command records both
        write_origin(out, source, digest_bytes(content), anchor_flags(flags))
    write_bytes(recorded, content)
    write_origin(out, source, digest_bytes(content), anchor_flags(flags))
    return study


def _keep_precision(study: Study, recorded: Path) -> Study:
    """Return a study whose precision, where it is `auto`, is the recorded study's, if any."""
    if study.training.precision != "auto" or not recorded.exists():
        return study
    return with_precision(study, load_study(recorded).training.precision)


def with_precision(study: Study, precision: Literal["fp32", "bf16", "auto"]) -> Study:
    """Return the study with another precision."""
    training = dataclasses.replace(study.training, precision=precision)
    return dataclasses.replace(study, training=training)


def record_precision(out: Path, precision: Literal["fp32", "bf16"]) -> None:
    """Record what an `auto` of the output folder's study came to; another value is left alone."""
    recorded = out / STUDY_FILE
    if not recorded.exists() or (study := load_study(recorded)).training.precision != "auto":
        return
    before, line = recorded.read_bytes(), f'precision = "{precision}"'.encode()
    after, count = re.subn(rb"""(?m)^precision\s*=\s*["']auto["']""", line, before)
    if count != 1:  # left out, or in another notation of TOML
        after = _render(recorded, with_precision(study, precision), find_project(out, None))
    origin = read_origin(out)
    if origin is not None and origin.copy == digest_bytes(before):
        write_document(
            out / ORIGIN_FILE, ORIGIN_SCHEMA, dataclasses.replace(origin, copy=digest_bytes(after))
        )
    write_bytes(recorded, after)


def _follow_edits(out: Path, named: Path | None) -> None:
    """Make the recorded study anew where the file that it came from was edited, and say so."""
    recorded, origin = out / STUDY_FILE, read_origin(out)
    source = origin.find_file(out) if origin is not None else None
    if origin is None or source is None or digest_file(source) == origin.digest:
        _tell_of_another(recorded, source, named)
        return
    flags = anchor_paths(dict(origin.flags), out)
    is_chosen = named is not None and named.resolve() in (source.resolve(), recorded.resolve())
    edited = _keep_precision(load_study(source, flags), recorded)
    changes = describe_changes(load_study(recorded), edited)
    if digest_file(recorded) != origin.copy and changes and not is_chosen:
        raise InputError(
            f"{recorded}: the file and `{_show(source)}`, which it was made from, should not both "
            f"be edited. Found them to differ in {changes}. `--study {_show(source)}` goes on with "
            f"that file from now on, `--study {recorded}` with this one."
        )
    if is_chosen and named is not None and named.resolve() == recorded.resolve():
        write_origin(out, source, digest_file(recorded), flags)
        return
    _record(out, source, flags)
    if changes:
        _LOG.warning(
            "note: `%s` was edited and is used; %s, made from it before, is renewed. Changed: %s",
            _show(source),
            recorded,
            changes,
        )


def _tell_of_another(recorded: Path, source: Path | None, named: Path | None) -> None:
    """Say where a study file that lies here is not the one that is read."""
    here = Path(STUDY_FILE)
    if named is not None or not here.exists() or here.samefile(recorded):
        return
    if source is not None and here.samefile(source):
        return
    try:
        there = _keep_precision(load_study(here), recorded)
        changes = describe_changes(load_study(recorded), there)
    except InputError:
        changes = "what it holds, which cannot be read"
    if changes:
        _LOG.warning(
            "note: %s is read, not ./%s, which differs in %s. `--study %s` reads that one; without "
            "%s, it is taken over",
            recorded,
            here,
            changes,
            here,
            recorded,
        )


def _show(path: Path) -> str:
    """Return a path as a message shows it: from the working directory where it lies below."""
    absolute = os.path.abspath(path)  # noqa: PTH100 (keeps links)
    return os.path.relpath(absolute) if Path(absolute).is_relative_to(Path.cwd()) else absolute


def describe_changes(before: Study, after: Study) -> str:
    """Return which settings differ, with their values where these are short; empty for none."""
    old, new = _flatten(_to_toml(before)), _flatten(_to_toml(after))
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    shown = [f"`{key}` ({_short(old.get(key))} to {_short(new.get(key))})" for key in keys]
    return ", ".join(shown[:6]) + (f" and {len(shown) - 6} more" if len(shown) > 6 else "")


def _short(value: Setting) -> str:
    return "none" if value is None else shorten(value)


def _flatten(content: Mapping[str, Setting], prefix: str = "") -> Table:
    flat: Table = {}
    for key, value in content.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {}
        flat |= {} if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def write_study(path: Path, study: Study, project: Path | None = None) -> None:
    """Write a study file that `load_study` reads back as the same study.

    Args:
        project: the folder that moves as a whole: paths inside of it are written relative to the
            file, others absolute. None for absolute paths alone.
    """
    write_bytes(path, _render(path, study, project))


def _render(path: Path, study: Study, project: Path | None) -> bytes:
    content = _to_toml(study)
    if project is not None:
        content = relate_paths(content, path.parent, Path(os.path.abspath(project)))  # noqa: PTH100
    return (_HEADER + tomli_w.dumps(content)).encode()


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
    content: Table = {
        "schema": STUDY_SCHEMA,
        "tasks": list(study.tasks),
        "model": study.model,
        "revision": study.revision,
        "data": None if folder is None else os.path.abspath(folder),  # noqa: PTH100 (keeps links)
        "seeds": list(study.seeds),
        "training": to_plain(study.training),
        "rows": to_plain(study.rows),
    }
    if study.sharing != SharingSettings():
        content["sharing"] = to_plain(study.sharing)
    if study.systems:
        content["system"] = [_drop_nulls(to_plain(system)) for system in study.systems]
    if study.comparison != ComparisonSettings():
        content["comparison"] = to_plain(study.comparison)
    own = [
        task
        for task in (*study.tasks.values(), *study.unused.values())
        if task != KNOWN_TASKS.get(task.name)
    ]
    if own:
        content["task"] = {task.name: {**to_plain_task(task), "name": None} for task in own}
    return _drop_nulls(content)


def _drop_nulls(content: Mapping[str, Setting]) -> Table:
    """Return the content without what TOML cannot say: a missing key is a null."""
    return {
        key: _drop_nulls(value) if isinstance(value, dict) else value
        for key, value in content.items()
        if value is not None
    }
