"""`relevance check`."""

from __future__ import annotations

from collections.abc import Iterator

from hmnet.console.speaking import Shown
from hmnet.folder.outputs import Output
from hmnet.study.study import Study
from relevance.pairwise.task_check import check_tasks, describe_check, prepare_checked


def run_check(output: Output, study: Study) -> Iterator[str]:
    """Validate a study and its rows, and describe each task; nothing is trained.

    Raises:
        InputError: with every problem of the study at once.
    """
    prepared = prepare_checked(study, output.data)
    for check in check_tasks(prepared):
        yield Shown("\n".join(describe_check(check)), tasks=[check])
    count = len(prepared.oddities)
    tasks = "1 task" if len(prepared.data) == 1 else f"{len(prepared.data)} tasks"
    yield f"{tasks} can run" + (f"; {count} notes on standard error" if count else "")
