"""Errors that a user can cause or mend. Each prints as sentences, without a traceback.

RelevanceError                    exit code 1
 ├── InputError                   exit code 2: parameters, files or tables that were given
 ├── SourceError                  exit code 2: a data set or an encoder that could not be loaded
 ├── OutputFolderError            exit code 2: an output folder that cannot be used
 ├── WriteError                   exit code 1: a file that could not be written
 ├── ClusterError                 exit code 1: a scheduler or workers of a cluster that went away
 └── RunsFailedError              exit code 1: some runs failed; the others are kept

The grammar of a message: "Parameter `x` should be <what>. Found `<value>`."
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RelevanceError(Exception):
    """Base of every expected error; `problems` holds a sentence or two for each of them."""

    exit_code = 1

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class InputError(RelevanceError):
    """Parameters, files or tables that do not hold what they should."""

    exit_code = 2


class SourceError(RelevanceError):
    """A data set or an encoder that could not be loaded."""

    exit_code = 2


class OutputFolderError(RelevanceError):
    """An output folder that this version cannot read or write."""

    exit_code = 2


class WriteError(RelevanceError):
    """A file that could not be written; what was there before is whole."""


class ClusterError(RelevanceError):
    """A cluster's scheduler that went away; the finished runs are stored."""


class RunsFailedError(RelevanceError):
    """Some runs of a sweep failed; the finished ones are stored."""


def raise_problems(problems: Iterable[str]) -> None:
    """Raise one `InputError` with all `problems`; do nothing when there are none."""
    found = tuple(problems)
    if found:
        raise InputError(*found)


def describe_write(error: OSError, path: object) -> str:
    """Return one sentence for a write that failed: the disk is full, the folder read-only, ..."""
    reason = error.strerror or str(error)
    return (
        f"File `{path}` should be writable. Found: {reason}. What is finished "
        "is kept; once it can be written, the same command goes on."
    )


def suggest(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean ...?" with the names closest to `name`, or the known names.

    Letter case does not count: `RTE` is close to `rte`.
    """
    folded = {k.casefold(): k for k in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
    if close:
        return f" Did you mean {' or '.join(f'`{folded[c]}`' for c in close)}?"
    return f" Known: {', '.join(folded.values()) or 'none'}."


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def shorten(value: object) -> str:
    """Return a value as a message shows it: at most 80 characters."""
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."
