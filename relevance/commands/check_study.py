"""`relevance check`."""

from __future__ import annotations

from collections.abc import Iterator

from hmnet.console.speaking import Shown
from hmnet.folder.outputs import Output
from hmnet.study.metrics import orient
from hmnet.study.study import Study
from relevance.pairwise.task_check import check_tasks, describe_check, prepare_checked
from relevance.pairwise.word_baseline import read_baseline


def run_check(output: Output, study: Study) -> Iterator[str]:
    """Validate a study and its rows, and describe each task; nothing is trained.

    Raises:
        InputError: with every problem of the study at once.
    """
    prepared = prepare_checked(study, output.data)
    baseline = read_baseline(output, prepared)
    for check in check_tasks(prepared):
        score = baseline.scores.get(check.task.name)
        shown = None if score is None else orient(check.task.metric, score)
        words = "" if shown is None else f"\n  TF-IDF with a linear model scores {shown:.3f}"
        found = {**vars(check), "tfidf": score}
        yield Shown("\n".join(describe_check(check)) + words, tasks=[found])
    count = len(prepared.oddities)
    tasks = "1 task" if len(prepared.data) == 1 else f"{len(prepared.data)} tasks"
    yield f"{tasks} can run" + (f"; {count} notes on standard error" if count else "")
