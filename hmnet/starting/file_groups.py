"""Which files of a folder are one task: one file, or files of its splits.

tickets.csv                              one file: dev rows are to be drawn
rte/train.csv  rte/dev.csv               a folder with a file a split
rte_train.tsv  rte_test.tsv              a file a split, by the end of its name
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hmnet.data.file_formats import SUFFIXES, split_name
from hmnet.errors import InputError
from hmnet.study.tasks import NAME_PATTERN

DEV = ("validation", "valid", "val", "dev", "test")
"""Names of a split whose rows are not trained on, the most fitting first."""
_ROLE = re.compile(rf"(?:^|[-_. ])(train|training|{'|'.join(DEV)})$", re.IGNORECASE)


@dataclass(frozen=True)
class FileGroup:
    """The files of one task.

    Attributes:
        name: a name for the task.
        train: the file with the rows to train on, or with all rows.
        dev: the file with dev rows; None where these are to be drawn.
        reason: how the files were told, in a few words.
        is_sure: whether there is no other way to read them.
    """

    name: str
    train: Path
    dev: Path | None
    reason: str
    is_sure: bool = True


def find_files(folder: Path) -> tuple[FileGroup, ...]:
    """Return the tasks that the files of a folder, and of folders in it, are of.

    Raises:
        InputError: if there is no table.
    """
    if not folder.is_dir():
        raise InputError(f"Parameter `folder` should be a folder. Found `{folder}`.")
    files = [*_list(folder), *(f for sub in sorted(folder.iterdir()) for f in _list(sub))]
    groups: dict[tuple[Path, str], dict[str, Path]] = {}
    for file in files:
        stem, role = _split_stem(split_name(file)[0])
        base = file.parent if not stem else file.parent / stem
        groups.setdefault((base, stem or file.parent.resolve().name), {})[role] = file
    if not groups:
        raise InputError(
            f"{folder}: the folder should hold tables ({', '.join(SUFFIXES)}), or folders with "
            "some. Found none."
        )
    return tuple(_name_apart([g for key, roles in groups.items() for g in _group(key[1], roles)]))


def _list(folder: Path) -> list[Path]:
    if not folder.is_dir() or folder.name.startswith("."):
        return []
    found = sorted(path for path in folder.iterdir() if path.is_file() and split_name(path)[1])
    return [path for path in found if not path.name.startswith(".")]


def _split_stem(stem: str) -> tuple[str, str]:
    """Return a file's name without its split, and that split; "" for a file of all rows."""
    found = _ROLE.search(stem)
    if found is None:
        return stem, ""
    role = found[1].lower()
    return stem[: found.start()], "train" if role == "training" else role


def _group(name: str, roles: dict[str, Path]) -> Iterator[FileGroup]:
    """Yield the tasks of files with one name."""
    train, whole = roles.get("train"), roles.get("")
    dev = next((roles[role] for role in DEV if role in roles), None)
    if train is None and whole is not None:
        yield FileGroup(name, whole, dev, "one file" if dev is None else "a file a split")
        return
    if train is None:
        yield FileGroup(
            name, next(iter(roles.values())), None, "one file, a dev split alone", False
        )
        return
    is_test = dev is not None and dev == roles.get("test")
    reason = "one file" if dev is None else "a file a split"
    if is_test:
        reason = "its test split serves as dev split, there is no other"
    yield FileGroup(name, train, dev, reason, not is_test)


def _name_apart(groups: list[FileGroup]) -> Iterator[FileGroup]:
    """Yield the groups with names that a study may have, each once."""
    used: set[str] = set()
    for group in groups:
        name = make_name(group.name)
        while name in used:
            name = f"{name[:60]}-2"
        used.add(name)
        yield FileGroup(name, group.train, group.dev, group.reason, group.is_sure)


def make_name(text: str) -> str:
    """Return a task's name made of a text.

    >>> make_name("Kunden Anfragen (2024)")
    'kunden-anfragen-2024'
    """
    name = re.sub(r"[^A-Za-z0-9_+-]+", "-", text).strip("-_+").lower()[:64] or "task"
    return name if NAME_PATTERN.fullmatch(name) else f"task-{name}"[:64]
