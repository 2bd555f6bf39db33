"""A first look at a study's files, before anything heavy is imported or run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hmnet.data.raw import find_file
from hmnet.data.task_data import find_problems, find_sources, was_prepared
from hmnet.errors import InputError, RelevanceError
from hmnet.study.study import Study
from hmnet.study.tasks import Task


def find_row_problems(study: Study, folder: Path) -> Iterator[str]:
    """Yield every problem of the local files of every task.

    Rows that were read before are not read again; those of the hub are left to the reading itself.

    Args:
        folder: of the tokenised rows.
    """
    for task in study.tasks.values():
        try:
            if _is_local(task, study.data_folder):
                sources = find_sources(task, study.data_folder)
                if not was_prepared(task, sources, folder):
                    yield from find_problems(task, study.data_folder)
        except RelevanceError as error:
            yield from error.problems


def _is_local(task: Task, data_dir: Path | None) -> bool:
    """Tell whether a task's rows are local files, those that are missing included."""
    try:
        return find_file(task, "train", data_dir) is not None
    except InputError:
        return True
