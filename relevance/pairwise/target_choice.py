"""Which tasks the study of one target has: the target, and what may help it (no torch)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from hmnet.errors import raise_problems, suggest
from hmnet.study.study import Study
from hmnet.study.tasks import KNOWN_TASKS


def choose_tasks(study: Study, target: str, sources: Sequence[str] | None) -> Study:
    """Return the study of a target and its sources, in the study's order of tasks.

    Args:
        sources: names; None for the study's other tasks.

    Raises:
        InputError: with the closest names for unknown tasks.
    """
    known = {**KNOWN_TASKS, **study.unused, **study.tasks}
    asked = list(study.tasks) if sources is None else list(sources)
    raise_problems(_check_tasks(target, asked, list(known), is_given=sources is not None))
    chosen = [name for name in known if name in asked or name == target]
    chosen.sort(key=list({**study.tasks, **known}).index)
    return dataclasses.replace(study, tasks={name: known[name] for name in chosen})


def _check_tasks(
    target: str, sources: Sequence[str], known: Sequence[str], *, is_given: bool
) -> Iterator[str]:
    for kind, names in (("target", [target]), ("sources", sources)):
        for name in names:
            if name not in known:
                yield (
                    f"Parameter `{kind}` should name tasks of the study. Found `{name}`."
                    f"{suggest(name, known)}"
                )
    if is_given and target in sources:
        yield f"Parameter `sources` should be other tasks than the target. Found `{target}`."
    if not set(sources) - {target}:
        yield f"Parameter `sources` should name at least one task beside `{target}`. Found none."
