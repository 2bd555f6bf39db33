"""The layout of `study.toml`, and how its text and the command line's flags become checked values.

- The file and the flags are layers of plain dictionaries; relative paths of the file are relative
  to the file, those of flags to the working directory.
- The flags' layer is laid over the file's; the result is checked as a whole.
- Every problem is reported at once, led by the layer that it came from.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from hmnet.errors import InputError, raise_problems, shorten, suggest
from hmnet.storage.documents import MAX_DOCUMENT_BYTES, describe_problem
from hmnet.storage.limits import LimitError
from hmnet.storage.regular_files import read_regular
from hmnet.study.settings import STRICT, DataSettings, Distillation, Seed, TrainingSettings
from hmnet.study.stages import SharingSettings, SharingStage
from hmnet.study.system_settings import ComparisonSettings, SystemSettings, find_repeated
from hmnet.study.tasks import KNOWN_TASKS, PAPER_TASKS, Source, Task, find_metric, find_tasks

Setting: TypeAlias = (
    "str | int | float | date | time | Path | Sequence[Setting] | Mapping[str, Setting] | None"
)
"""What a TOML file may hold (a `datetime` is a `date`), and what a flag may."""
Table: TypeAlias = dict[str, Setting]

STUDY_SCHEMA = "study/1"
PAPER_MODEL = "google-bert/bert-base-uncased"
FLAGS = "command line"
_DEFAULTS: Table = {"training": {"precision": "auto"}}
"""Where a study file may leave more open than the settings of a run."""


def _refuse_repeated(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"Parameter `seeds` should not repeat a seed. Found `{list(seeds)}`.")
    return seeds


Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_refuse_repeated)]
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f]+$")]


@dataclass(frozen=True, config=STRICT)
class StudyFile:
    """The file as it is written: every key but the schema's may be left out."""

    schema: Literal["study/1"]
    tasks: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    model: Text = PAPER_MODEL
    revision: Text | None = None
    data: Text | None = None
    seeds: Seeds = (0,)
    training: TrainingSettings = TrainingSettings()
    rows: DataSettings = DataSettings()
    sharing: SharingSettings = SharingSettings()
    system: tuple[SystemSettings, ...] = ()
    comparison: ComparisonSettings = ComparisonSettings()
    task: Mapping[str, Task] = Field(default_factory=dict)

    @property
    def selected(self) -> dict[str, Task]:
        """The tasks asked for, by name: by default the paper's, the user's added or instead."""
        known = {**KNOWN_TASKS, **self.task}
        names = tuple({**PAPER_TASKS, **self.task}) if self.tasks is None else self.tasks
        return {name: known[name] for name in names}


@dataclasses.dataclass(frozen=True)
class _Origin:
    """Where a value came from: the file, unless a flag named its key."""

    file: str
    flags: frozenset[str]

    def of(self, *keys: str) -> str:
        key = ".".join(keys)
        given = any(key == flag or key.startswith(f"{flag}.") for flag in self.flags)
        return FLAGS if given else self.file


def read_study_file(path: Path | None, overrides: Mapping[str, Setting]) -> StudyFile:
    """Read and check a study file (None: an empty one) with values by dotted key laid over it.

    Raises:
        InputError: with every problem, and the closest names for unknown keys and tasks.
    """
    content: Table = {"schema": STUDY_SCHEMA}
    if path is not None:
        content = anchor_paths(_read_toml(path), path.parent)
    if "model" in overrides and "revision" not in overrides:
        content.pop("revision", None)  # it belongs to the file's model
    content = _overlay(content, anchor_flags(overrides))
    content = _overlay(_DEFAULTS, content)
    origin = _Origin("defaults" if path is None else str(path), frozenset(overrides))
    return _check(content, origin)


def _read_toml(path: Path) -> Table:
    text = ""
    try:
        text = read_regular(path, MAX_DOCUMENT_BYTES).decode("utf-8-sig")
        return tomllib.loads(text)
    except FileNotFoundError:
        raise InputError(f"{path}: the file does not exist.{_list_others(path)}") from None
    except LimitError as error:
        raise InputError(f"{path}: {error}") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: the file should be TOML in UTF-8. Found {error.reason} at byte "
            f"{error.start}: save it as UTF-8."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"{path}: the file should be TOML. Found: {error}{_quote_line(str(error), text)}."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: the file should be TOML. Found: {error}.") from None


def _list_others(path: Path) -> str:
    """Say which study files lie where one was looked for."""
    others = sorted(other.name for other in path.parent.glob("*.toml"))
    return f" `{path.parent}` holds {', '.join(others[:6])}." if others else ""


def _quote_line(message: str, text: str) -> str:
    """Return the line that a message of TOML's reader speaks of, as it stands in the file."""
    found = re.search(r"at line ([0-9]+)", message)
    lines = text.splitlines()
    if found is None or not 0 < int(found[1]) <= len(lines):
        return ""
    line = lines[int(found[1]) - 1]
    curly = '; quotes should be straight ones, "' if re.search("[\u201c\u201d\u201e]", line) else ""
    return f", `{shorten(line.strip())}`{curly}"


# Layers


def _nest(values: Mapping[str, Setting]) -> Table:
    """Return values by dotted key as nested tables."""
    content: Table = {}
    for key, value in values.items():
        *tables, last = key.split(".")
        nested: Table = {last: value}
        for table in reversed(tables):
            nested = {table: nested}
        content = _overlay(content, nested)
    return content


def _overlay(below: Mapping[str, Setting], above: Mapping[str, Setting]) -> Table:
    """Return `below` with the values of `above` added or in place; tables are merged."""
    content = dict(below)
    for key, value in above.items():
        lower = content.get(key)
        if isinstance(lower, dict) and isinstance(value, dict):
            content[key] = _overlay(lower, value)
        else:
            content[key] = value
    return content


def anchor_flags(flags: Mapping[str, Setting]) -> Table:
    """Return values by dotted key as nested tables, their paths absolute."""
    return anchor_paths(_nest(flags), Path.cwd())


def anchor_paths(content: Table, base: Path) -> Table:
    """Return the content with relative paths made absolute."""
    content = dict(content)
    if isinstance(content.get("data"), str | Path):
        content["data"] = _absolute(str(content["data"]), base)
    if isinstance(model := content.get("model"), str):
        content["model"] = _absolute_if_local(model, base)
    if isinstance(systems := content.get("system"), list | tuple):
        content["system"] = [_anchor_system(table, base) for table in systems]
    if isinstance(tables := content.get("task"), dict):
        content["task"] = {name: _anchor_task(table, base) for name, table in tables.items()}
    return content


def _anchor_system(table: Setting, base: Path) -> Setting:
    """Return a system whose groups, where they are a file, have an absolute path."""
    groups = table.get("groups") if isinstance(table, dict) else None
    if not isinstance(table, dict) or not isinstance(groups, str) or not groups.endswith(".json"):
        return table
    return {**table, "groups": _absolute(groups, base)}


def _anchor_task(table: Setting, base: Path) -> Setting:
    if not isinstance(table, dict):
        return table
    source = table.get("source")
    if isinstance(source, str) and os.path.isdir(_absolute(source, base)):  # noqa: PTH112
        source = {"folder": source}
    if not isinstance(source, dict):
        return table
    source = dict(source)
    if isinstance(source.get("folder"), str):
        source["folder"] = _absolute(source["folder"], base)
    if isinstance(source.get("repository"), str):
        source["repository"] = _absolute_if_local(source["repository"], base)
    return {**table, "source": source}


def _absolute(text: str, base: Path) -> str:
    if not text or "\0" in text:
        return text
    return os.path.abspath(base / Path(os.path.expanduser(text)))  # noqa: PTH100, PTH111


def _absolute_if_local(name: str, base: Path) -> str:
    """Return a hub id as it is, and the path of a folder that exists or is written like one."""
    written_like_one = name.startswith(("./", "../", "/", "~"))
    local = written_like_one or os.path.isdir(base / name)  # noqa: PTH112 (no error on odd names)
    return _absolute(name, base) if local else name


# Checks


def _check(content: Table, origin: _Origin) -> StudyFile:
    content, problems = _complete_tasks(content, origin)
    if "schema" not in content:
        content["schema"] = STUDY_SCHEMA
        problems.append(
            f"{origin.file}: Parameter `schema` is missing: the first line of a study file is "
            f'`schema = "{STUDY_SCHEMA}"`.'
        )
    problems += _check_source_tables(content, origin)
    problems += _check_names(content, origin)
    try:
        file = TypeAdapter(StudyFile).validate_python(content)
    except ValidationError as error:
        raise InputError(*problems, *_describe(error, origin)) from None
    raise_problems(problems)
    raise_problems(
        [
            *_check_sources(file, origin),
            *_check_stopping(file, origin),
            *_check_class_weights(file, origin),
            *_check_threshold(file, origin),
            *(f"{origin.of('system')}: {text}" for text in find_repeated(file.system)),
        ]
    )
    return file


def _complete_tasks(content: Table, origin: _Origin) -> tuple[Table, list[str]]:
    """Give each task table its name and a metric that fits its kind."""
    tables = content.get("task")
    if not isinstance(tables, dict):
        return dict(content), []
    problems = [
        f"{origin.of('task', name, 'name')}: Parameter `task.{name}.name` is unknown: the header "
        f"of its table names the task, `{name}`."
        for name, table in tables.items()
        if isinstance(table, dict) and "name" in table
    ]
    tables = {name: _complete_task(name, table) for name, table in tables.items()}
    return {**content, "task": tables}, problems


def _complete_task(name: str, table: Setting) -> Setting:
    if not isinstance(table, dict):
        return table
    labels = table.get("labels")
    found = find_metric(str(table.get("kind")), labels if isinstance(labels, list) else ())
    fitting = {"metric": found} if found else {}
    listed = {key: [table[key]] for key in _LISTS if isinstance(table.get(key), str)}
    return {**fitting, **table, **listed, "name": name}


_LISTS = ("text", "question", "metrics")
"""Keys of a task whose value may be one name in place of a list of one."""


def _check_names(content: Mapping[str, Setting], origin: _Origin) -> list[str]:
    """Check `tasks` against the tables before these are checked, so that all comes at once."""
    names, tables = content.get("tasks"), content.get("task")
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return []
    known = dict.fromkeys([*KNOWN_TASKS, *(tables if isinstance(tables, dict) else ())])
    try:
        find_tasks(names, known)
    except InputError as error:
        return [f"{origin.of('tasks')}: {problem}" for problem in error.problems]
    return []


def _check_source_tables(content: Table, origin: _Origin) -> list[str]:
    """Say how a source is written where it is a plain string, or a file in place of a folder.

    What is told is taken out of the content, so that nothing else is said of it.
    """
    problems = []
    tables = content.get("task")
    for name, table in tables.items() if isinstance(tables, dict) else ():
        source = table.get("source") if isinstance(table, dict) else None
        folder = source.get("folder") if isinstance(source, dict) else source
        if not isinstance(folder, str) or (source is not folder and not os.path.isfile(folder)):  # noqa: PTH113
            continue
        problems.append(
            f"{origin.of('task', name, 'source')}: Parameter `task.{name}.source` should be a "
            f'folder with a file per split, `{{ folder = "rows" }}` with rows/train.csv and '
            f'rows/validation.csv, or `{{ repository = "owner/name" }}` of the hub. Found '
            f"`{folder}`."
        )
        del table["source"]
    return problems


def _check_sources(file: StudyFile, origin: _Origin) -> Iterator[str]:
    for name, task in file.selected.items():
        if file.data is None and task.source.repository is None and task.source.folder is None:
            yield (
                f"{origin.of('task', name)}: Parameter `task.{name}.source` should name a "
                f"`folder` or a `repository`, as there is no `data` folder for all tasks."
            )


def _check_stopping(file: StudyFile, origin: _Origin) -> Iterator[str]:
    stopping = [file.training.stopping, *(system.stopping for system in file.system)]
    if "task" in stopping and not file.rows.has_choosing_rows:
        yield (
            f"{origin.of('training', 'stopping')}: Parameter `rows.holdout` should be given where "
            f"`stopping` is `task`{_EXCEPT_JUDGING}. Found {_tell_holdout(file.rows)}."
        )
    asked = {f"system.{system.name}": system.epochs for system in file.system}
    for name, epochs in {"comparison": file.comparison.epochs, **asked}.items():
        if len(epochs) > 1 and not file.rows.has_choosing_rows:
            yield (
                f"{origin.of('comparison', 'epochs')}: Parameter `rows.holdout` should be given "
                f"where `{name}.epochs` has several numbers to choose from{_EXCEPT_JUDGING}. "
                f"Found {_tell_holdout(file.rows)}."
            )


_EXCEPT_JUDGING = ", with another `holdout_use` than judging"


def _tell_holdout(rows: DataSettings) -> str:
    return "none" if rows.holdout is None else f"`{rows.holdout_use}`"


def _check_threshold(file: StudyFile, origin: _Origin) -> Iterator[str]:
    if file.training.threshold == "held-out" and not file.rows.has_choosing_rows:
        yield (
            f"{origin.of('training', 'threshold')}: Parameter `rows.holdout` should be given where "
            f"`threshold` is `held-out`{_EXCEPT_JUDGING}. Found {_tell_holdout(file.rows)}."
        )


def _check_class_weights(file: StudyFile, origin: _Origin) -> Iterator[str]:
    asked = file.training.class_weights
    known = {**KNOWN_TASKS, **file.task}
    for name, weights in asked.items() if not isinstance(asked, str) else ():
        where = f"{origin.of('training', 'class_weights')}: Parameter `class_weights`"
        task = known.get(name)
        if task is None:
            yield f"{where} should name known tasks. Found `{name}`.{suggest(name, known)}"
        elif not task.facts.has_labels:
            yield f"{where} should name tasks with labels. Found `{name}`, {task.facts.noun}."
        elif not isinstance(weights, str) and len(weights) != len(task.labels):
            labels = ", ".join(str(label) for label in task.labels)
            yield (
                f"{where} should have a number for each label of `{name}` ({labels}). Found "
                f"{len(weights)}."
            )


def _describe(error: ValidationError, origin: _Origin) -> list[str]:
    """Return a sentence per problem, led by the file or the command line, without repeats."""
    sentences: dict[str, None] = {}
    for problem in error.errors(include_url=False):
        location = _locate(problem["loc"])
        for sentence in describe_problem(problem, location):
            unknown = sentence.endswith(" is unknown.")
            hint = suggest(location[-1], _list_keys(location[:-1])) if unknown else ""
            sentences[f"{origin.of(*location)}: {sentence}{hint}"] = None
    return list(sentences)


def _locate(location: Sequence[int | str]) -> tuple[str, ...]:
    """Return the keys to a problem, without the types that a label may have."""
    if "labels" in location and location[-1] in ("str", "int"):
        location = location[:-1]
    return tuple(str(part) for part in location)


def _list_keys(location: Sequence[str]) -> list[str]:
    """Return the keys that the table at `location` may hold."""
    kinds: dict[str, type] = {
        "training": TrainingSettings,
        "rows": DataSettings,
        "sharing": SharingSettings if len(location) == 1 else SharingStage,
        "system": SharingStage if "stages" in location else SystemSettings,
        "comparison": ComparisonSettings,
    }
    if not location:
        kind: type = StudyFile
    elif location[-1] == "distillation":
        kind = Distillation
    else:
        kind = kinds.get(location[0], Source if len(location) > 2 else Task)
    names = [field.name for field in dataclasses.fields(kind)]
    return [name for name in names if not (kind is Task and name == "name")]
