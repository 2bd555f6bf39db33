"""The tables that `relevance import` reads, from this package's own runs, for any other tool.

    write_export(output, Path("tables"), ExportOptions(predictions=True))

`scores` and `matrix` as csv or parquet, numbers in full; `predictions` where they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hmnet.commands.stored_run import find_task
from hmnet.errors import InputError, raise_problems
from hmnet.folder.outputs import Output
from hmnet.storage.files import write_bytes
from hmnet.storage.tables import read_table
from hmnet.study.answers import gather_answers
from hmnet.study.metrics import METRICS, is_error
from hmnet.study.tag_codes import NO_ANSWER
from relevance.imported.imported_scores import COLUMNS
from relevance.imported.prediction_table import OPTIONAL, REQUIRED
from relevance.matrices.matrix import RelevanceMatrix
from relevance.pairwise.sweep_record_format import SCORES

FORMATS = ("csv", "parquet")
MATRIX_COLUMNS = {"ci_low": "low", "ci_high": "high"}
QUESTIONS = ("exact_match",)
"""Metrics of questions: their number stands in `n_dev`."""


@dataclass(frozen=True)
class ExportOptions:
    """What is written.

    Attributes:
        kind: `csv` or `parquet`.
        predictions: whether dev predictions are, a row per run and example.
    """

    kind: str = "csv"
    predictions: bool = False


EXPORT_OPTIONS = ExportOptions()


def write_export(
    output: Output, folder: Path, options: ExportOptions = EXPORT_OPTIONS
) -> tuple[Path, ...]:
    """Write the tables into a folder; return their files.

    What a command that was cut off has written already is left as it is.

    Raises:
        InputError: if there are no gains, a format is unknown, or a file is there already that
            holds anything else.
    """
    raise_problems(_check(output, options))
    tables = {"scores": tabulate_exported(output), "matrix": tabulate_matrix(output)}
    if options.predictions:
        tables["predictions"] = tabulate_predictions(output)
    files = {
        folder / f"{name}.{options.kind}": _encode(table, options.kind)
        for name, table in tables.items()
    }
    raise_problems(
        f"Parameter `to` should be a folder without another {path.name}. Found `{path}`."
        for path, content in files.items()
        if path.exists() and not _holds(path, content)
    )
    for path, content in files.items():
        write_bytes(path, content)
    return tuple(files)


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _check(output: Output, options: ExportOptions) -> Iterator[str]:
    if options.kind not in FORMATS:
        yield f"Parameter `format` should be one of {list(FORMATS)}. Found `{options.kind}`."
    if not output.scores.exists() or not output.pairwise.exists():
        yield (
            f"Parameter `out` should be a folder with measured gains. Found `{output.folder}`: "
            "run `relevance pairwise` or `relevance import` first."
        )


def _encode(frame: pd.DataFrame, kind: str) -> bytes:
    if kind == "csv":
        return frame.to_csv(index=False, lineterminator="\n").encode()
    content: bytes = frame.to_parquet(index=False)
    return content


def tabulate_exported(output: Output) -> pd.DataFrame:
    """Return a row per score, the columns target, partner, seed, score, metric and n_dev.

    Errors stand as they are, positive.
    """
    scores = read_table(output.scores, SCORES.schema)[0]
    matrix = RelevanceMatrix.read(output.pairwise)
    known: dict[str, float] = {
        str(target): float(size)
        for target, size in matrix.table.groupby("target")["n_dev"].max().items()
    }
    metrics, units = _read_metrics(output, scores, matrix)
    sizes = pd.Series({**known, **units}, dtype="Float64").round().astype("Int64")
    table = scores.rename(columns={"task": "target"})
    table = table.assign(
        metric=table["target"].map(metrics).fillna(""), n_dev=table["target"].map(sizes)
    )
    is_lower = table["metric"].map(is_error) | _was_lower(matrix)
    return table.assign(score=table["score"].where(~is_lower, -table["score"]))[list(COLUMNS)]


def _was_lower(matrix: RelevanceMatrix) -> bool:
    """Tell whether a matrix was imported from scores that were said to be errors."""
    imported = matrix.provenance.get("imported")
    return isinstance(imported, Mapping) and bool(imported.get("lower_is_better"))


def _read_metrics(
    output: Output, scores: pd.DataFrame, matrix: RelevanceMatrix
) -> tuple[dict[str, str], dict[str, int]]:
    """Return task to metric, and to its number of questions where the metric is one of these."""
    imported = matrix.provenance.get("imported")
    if isinstance(imported, Mapping):
        return dict(imported.get("metrics", {})), {}
    metrics, units = {}, {}
    for task, run in scores[scores["partner"] == ""].groupby("task")["run"].first().items():
        spec = output.runs.find(str(run))[1]
        metrics[str(task)] = next(each.metric for each in spec.tasks if each.name == task)
        if metrics[str(task)] in QUESTIONS:
            frame = _read_predictions(output, str(run), str(task))
            units[str(task)] = len(frame[["split", "question"]].drop_duplicates())
    return metrics, units


def tabulate_matrix(output: Output) -> pd.DataFrame:
    """Return a row per ordered pair: source, target, value, low, high, and p, q and counts."""
    table = RelevanceMatrix.read(output.pairwise).table.rename(columns=MATRIX_COLUMNS)
    columns = ["source", "target", "value", "low", "high"]
    columns += ["p_value", "q_value", "n_dev", "n_seeds"]
    return table.loc[table["source"] != table["target"], columns].reset_index(drop=True)


def tabulate_predictions(output: Output) -> pd.DataFrame:
    """Return a row per run, target and dev example, with the columns of imported predictions.

    Raises:
        InputError: if there are none, as in a folder of imported scores.
    """
    scores = read_table(output.scores, SCORES.schema)[0]
    matrix = RelevanceMatrix.read(output.pairwise)
    if "imported" in matrix.provenance:
        raise InputError(
            f"Parameter `predictions` should be for a folder of this package's own runs. Found "
            f"`{output.folder}`, whose gains were imported."
        )
    metrics, _ = _read_metrics(output, scores, matrix)
    parts = []
    columns = (scores[name].tolist() for name in ("run", "task", "partner", "seed"))
    for run, task, partner, seed in zip(*columns, strict=True):
        frame = _read_predictions(output, run, task)
        keys = {"target": task, "partner": partner, "seed": int(seed), "metric": metrics[task]}
        if METRICS[metrics[task]].reads_odds:
            definition = find_task(output.runs.find(run)[1], task)
            frame = frame.assign(prediction=gather_answers(definition, frame).odds)
        parts.append(frame.assign(**keys))
    return pd.concat(parts, ignore_index=True)[[*REQUIRED, *OPTIONAL]]


def _read_predictions(output: Output, run: str, task: str) -> pd.DataFrame:
    """Return a run's dev predictions; of tags a row per word, whose question is its sentence."""
    spec = output.runs.find(run)[1]
    frame = output.runs.predictions(spec, task)
    definition = next(each for each in spec.tasks if each.name == task)
    if not definition.facts.reads_words:
        return frame
    names = dict(enumerate(map(str, definition.labels))) | {NO_ANSWER: "-"}
    words = frame.assign(question=frame["row"]).explode(["label", "prediction"])
    named = {name: words[name].map(names) for name in ("label", "prediction")}
    return words.assign(**named, row=words.groupby("split", sort=False).cumcount())
