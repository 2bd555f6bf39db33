"""What a run leaves behind: its result with a digest, or its failure, and its files checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from hmnet.errors import InputError, raise_problems
from hmnet.runs.held_out_scores import HELD_OUT_FILE
from hmnet.runs.stopping_record import STOPPING_FILE
from hmnet.storage.digests import canonical_json, digest, digest_file, sign
from hmnet.storage.documents import parse_document, read_json, to_plain
from hmnet.study.settings import STRICT

RESULT_SCHEMA = "run-result/1"
FAILURE_SCHEMA = "run-failure/1"
KEPT_FILES = (
    "spec.json",
    "metrics.jsonl",
    STOPPING_FILE,
    HELD_OUT_FILE,
    "predictions/*.parquet",
    "model/**/*",
)
"""Files of a finished run, as patterns; their digests stand in its result."""


@dataclass(frozen=True, config=STRICT)
class RunResult:
    """What a finished run reports.

    Attributes:
        scores: task, dev split and metric to value.
        primary: task to the mean of its primary metric over its dev splits (f in equation 3); the
            negative of an error, so that more is better.
        n_dev: task and dev split to the number of examples.
        steps: optimiser steps.
        train_tokens: tokens seen in training.
        seconds: `train` and `evaluate`.
        parameters: `overall` and `activated` (one task's path, the largest).
        final_loss: task to its mean training loss over the last epoch.
        micro_batches: parts that a batch was cut into because the device ran out of memory.
        versions: package name to version.
        files: file of the run's folder to the digest of its content (`RunStore.finish` adds it).
        own: digest of all the rest, by which an altered result is found; empty in older ones.
    """

    scores: Mapping[str, Mapping[str, Mapping[str, float]]]
    primary: Mapping[str, float]
    n_dev: Mapping[str, Mapping[str, int]]
    steps: int
    train_tokens: int
    seconds: Mapping[str, float]
    parameters: Mapping[str, int]
    final_loss: Mapping[str, float]
    versions: Mapping[str, str]
    status: Literal["done"] = "done"
    files: Mapping[str, str] = Field(default_factory=dict)
    micro_batches: int = 1
    own: str = ""

    def sign(self) -> RunResult:
        """Return the result with its own digest."""
        return dataclasses.replace(self, own=sign(to_plain(self)))


def read_result(path: Path) -> RunResult:
    """Read a `result.json`; an altered one is refused. Nothing else reads that file.

    Raises:
        InputError: if it is missing, or not as its run wrote it.
    """
    content = read_json(path)
    result = parse_document(content, RESULT_SCHEMA, RunResult, str(path))
    if result.own and sign(content) != result.own:
        raise InputError(_altered(path))
    return result


def read_outcome(path: Path) -> str:
    """Return a digest of the numbers in a `result.json`: scores and predictions, not the time.

    Empty where there is no such file, or it cannot be read.
    """
    try:
        content = read_json(path)
    except InputError:
        return ""
    files = content.get("files")
    if not isinstance(files, dict) or "scores" not in content:
        return ""
    kept = {name: held for name, held in files.items() if str(name).startswith("predictions/")}
    return digest(canonical_json([content["scores"], kept]))


def _altered(path: Path) -> str:
    return (
        f"{path}: the file should be as its run wrote it. It was altered or cut short; "
        "`relevance verify --redo` has the run done again."
    )


@dataclass(frozen=True, config=STRICT)
class RunFailure:
    """Why a run has no result: the error's sentence and its traceback."""

    error: str
    traceback: str = ""
    context: Mapping[str, object] = Field(default_factory=dict)


def describe_parameters(counts: Mapping[str, int]) -> str:
    """Return `30.3 M parameters overall, 22.7 M activated by a task`."""
    overall, activated = (f"{counts[key] / 1e6:.1f} M" for key in ("overall", "activated"))
    return f"{overall} parameters overall, {activated} activated by a task"


def digest_files(folder: Path) -> dict[str, str]:
    """Return each kept file of a run's folder with the digest of its content."""
    paths = sorted({path for pattern in KEPT_FILES for path in folder.glob(pattern)})
    return {
        path.relative_to(folder).as_posix(): digest_file(path) for path in paths if path.is_file()
    }


def check_files(folder: Path, files: Mapping[str, str]) -> None:
    """Raise an `InputError` that names every file that is missing or not what it was.

    Args:
        files: file to its digest; an empty digest asks for the file alone.
    """
    problems = []
    for name, expected in files.items():
        path = folder / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            problems.append(f"{folder}: its files should lie in the folder. Found `{name}`.")
        elif not path.is_file():
            problems.append(f"{path}: the file does not exist.")
        elif expected and digest_file(path) != expected:
            problems.append(_altered(path))
    raise_problems(problems)
