"""Dev predictions from any trainer: a table, or a folder of tables, as this package's own runs.

The columns are target, partner (empty: alone), seed, row, label and prediction; optional are split
and question (as in `hmnet.runs.store`), and metric. Of tags a row is a word, numbered in the order
of the text, and its question is the sentence. Every run of a target has the same rows with the same
labels, in any order.

Classes may have any names; two that are told apart by `f1` are in the order of their names, the
second one positive. Predictions of a metric that reads odds (`auroc`) are numbers that grow with
the probability of that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.scores.predictions import Arm, Predictions
from analysis.scores.resampling import score_runs
from hmnet.data.file_formats import SUFFIXES
from hmnet.errors import InputError, raise_problems, suggest
from hmnet.study.metrics import METRICS
from hmnet.study.tag_codes import number_tags
from hmnet.study.task_kinds import TASK_KINDS
from relevance.imported.naming import check_names, list_values, name_arm
from relevance.imported.score_measurement import name_run
from relevance.matrices.plain_table import find_column, is_plain, read_plain, to_number, to_numbers
from relevance.pairwise.measurement import SweepRuns
from relevance.pairwise.sweep_record_format import SCORES

REQUIRED = ("target", "partner", "seed", "row", "label", "prediction")
OPTIONAL = ("split", "question", "metric")
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "target": ("target", "task"),
    "partner": ("partner", "source"),
    "row": ("row", "example", "id"),
    "prediction": ("prediction", "predicted"),
}
_MOST_CLASSES = 50
_KEYS = ["split", "row"]
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class PredictionTable:
    """Predictions that were checked.

    Attributes:
        predictions: of each target.
        guessed: the targets whose metric was guessed from their labels, with the metric.
        files: how many files were read.
    """

    predictions: Mapping[str, Predictions]
    guessed: Mapping[str, str]
    files: int


def is_prediction_table(frame: pd.DataFrame) -> bool:
    """Tell whether a table has the columns of predictions."""
    return all(_find(frame, name) for name in ("target", "label", "prediction"))


def _find(frame: pd.DataFrame, name: str) -> str | None:
    return find_column(frame, *_ALIASES.get(name, (name,)))


def read_prediction_table(path: Path, metric: str | None = None) -> PredictionTable:
    """Read and check a table of predictions, or every table in a folder and below it.

    Args:
        metric: of the targets for which no column names one.

    Raises:
        InputError: with every problem of the tables.
    """
    files = _list_files(path)
    problems: list[str] = []
    if metric is not None and metric not in METRICS:
        problems.append(
            f"Parameter `metric` should be a known metric. Found `{metric}`."
            f"{suggest(metric, METRICS)}"
        )
    parts = []
    for file in files:
        try:
            parts.append(_take_columns(read_plain(file), file))
        except InputError as error:
            problems += error.problems
    raise_problems(problems)
    table = pd.concat(parts, ignore_index=True)
    raise_problems(f"{path}: {problem}" for problem in _list_problems(table))
    return _gather(table, path, metric, len(files))


def _list_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: the file or folder does not exist.")
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and is_plain(file)]
    if not files:
        raise InputError(
            f"{path}: the folder should hold tables of predictions ({', '.join(SUFFIXES)}). "
            "Found none."
        )
    return files


def _take_columns(frame: pd.DataFrame, file: Path) -> pd.DataFrame:
    found = {name: _find(frame, name) for name in (*REQUIRED, *OPTIONAL)}
    lacking = [name for name in REQUIRED if found[name] is None]
    if lacking:
        raise InputError(
            f"{file}: the table should have the columns {', '.join(REQUIRED)} (partner empty: "
            f"alone). Missing: {', '.join(lacking)}."
        )
    defaults = {"split": "dev", "question": "-1", "metric": ""}
    columns = {c: frame[f] if f else [defaults[c]] * len(frame) for c, f in found.items()}
    table = pd.DataFrame(columns, dtype=object)
    problems: list[str] = []
    for column in ("seed", "question"):
        places = [f"{file}: row {number}, `{column}`," for number in range(1, len(table) + 1)]
        table[column] = to_numbers(table[column], places, problems, whole=True, required=True)
    raise_problems([*problems[:_SHOWN], *_count_rest(problems, file)])
    return table.astype({"seed": int, "question": int})


def _count_rest(problems: Sequence[str], file: Path) -> list[str]:
    rest = len(problems) - _SHOWN
    return [f"{file}: {rest} further cells should be whole numbers too."] if rest > 0 else []


def _list_problems(table: pd.DataFrame) -> Iterator[str]:
    yield from check_names(table, "predictions")
    for column in ("row", "label", "prediction"):
        if empty := int((table[column] == "").sum()):
            yield f"every row should have a `{column}`. Found {empty} without one."
    for target, rows in table.groupby("target", sort=False):
        yield from _list_metric_problems(str(target), rows)
        yield from _list_run_problems(str(target), rows)


def _list_metric_problems(target: str, rows: pd.DataFrame) -> Iterator[str]:
    metrics = [metric for metric in list_values(rows["metric"]) if metric]
    for metric in metrics:
        if metric not in METRICS:
            yield (
                f"target `{target}` should have a known metric. Found `{metric}`."
                f"{suggest(metric, METRICS)}"
            )
        elif METRICS[metric].needs_bio and (rows["question"] == -1).any():
            yield (
                f"target `{target}` should have the sentence of each word in `question`, for "
                f"`{metric}`. Found rows without one."
            )
    if len(metrics) > 1:
        yield f"target `{target}` should have one metric. Found {', '.join(metrics)}."


def _list_run_problems(target: str, rows: pd.DataFrame) -> Iterator[str]:
    labels: pd.Series | None = None
    for (partner, seed), run in rows.groupby(["partner", "seed"], sort=False):
        name = f"{name_arm(target, str(partner))}, seed {seed},"
        found = run.set_index(_KEYS)["label"]
        if found.index.has_duplicates:
            twice = found.index[found.index.duplicated()][0]
            yield f"{name} should have each row once. Found row `{twice[1]}` twice."
            continue
        labels = found if labels is None else labels
        if len(found) != len(labels) or not labels.index.isin(found.index).all():
            yield f"{name} should have the rows of the other runs. Found {len(found)} rows, others."
        elif not (found.reindex(labels.index) == labels).all():
            yield f"{name} should have the labels of the other runs. Found others."


def _gather(table: pd.DataFrame, path: Path, metric: str | None, files: int) -> PredictionTable:
    found: dict[str, Predictions] = {}
    guessed: dict[str, str] = {}
    problems: list[str] = []
    for target, rows in table.groupby("target", sort=False):
        named = [metric for metric in list_values(rows["metric"]) if metric]
        chosen = named[0] if named else metric or _guess_metric(rows)
        if not named and metric is None:
            guessed[str(target)] = chosen
        try:
            found[str(target)] = _collect(str(target), rows, chosen)
        except InputError as error:
            problems += [f"{path}: {problem}" for problem in error.problems]
    raise_problems(problems)
    return PredictionTable(found, guessed, files)


def _guess_metric(rows: pd.DataFrame) -> str:
    """Return correlation for labels that are numbers with fractions, or many; else accuracy."""
    labels = list_values(rows["label"])
    numbers = [to_number(text) for text in (*labels, *list_values(rows["prediction"]))]
    if any(number is None for number in numbers):
        return "accuracy"
    has_fractions = any(number is not None and not number.is_integer() for number in numbers)
    return "correlation" if has_fractions or len(labels) > _MOST_CLASSES else "accuracy"


def _collect(target: str, rows: pd.DataFrame, metric: str) -> Predictions:
    first = _sort_rows(next(iter(rows[rows["partner"] == ""].groupby("seed")))[1])
    index = pd.MultiIndex.from_frame(first[_KEYS])
    labels, values = _code(target, rows, metric)
    coded = rows.assign(label=labels, prediction=values)
    arms: dict[str, dict[int, np.ndarray[tuple[int], np.dtype[np.float64]]]] = {}
    for (partner, seed), run in coded.groupby(["partner", "seed"]):
        column = run.set_index(_KEYS)["prediction"].reindex(index)
        arms.setdefault(str(partner), {})[int(str(seed))] = column.to_numpy()
    stacked = {name: Arm(tuple(runs), np.stack(list(runs.values()))) for name, runs in arms.items()}
    return Predictions(
        task=target,
        metric=metric,
        labels=coded.loc[first.index, "label"].to_numpy(),
        splits=first["split"].to_numpy(dtype=object),
        questions=first["question"].to_numpy(),
        single=stacked.pop(""),
        joint=stacked,
    )


def _sort_rows(run: pd.DataFrame) -> pd.DataFrame:
    """Return a run's rows, split by split, by their number, where all have one, else by name."""
    numbers = run["row"].map(to_number)
    key = run["row"] if numbers.isna().any() else numbers.astype(float)
    place = {split: i for i, split in enumerate(list_values(run["split"]))}
    placed = run.assign(place=run["split"].map(place), key=key)
    return placed.sort_values(["place", "key"], kind="stable")


def _code(target: str, rows: pd.DataFrame, metric: str) -> tuple[pd.Series, pd.Series]:
    """Return labels and predictions as class codes, or as numbers."""
    if METRICS[metric].kind == "regression":
        both = []
        for column in ("label", "prediction"):
            numbers = rows[column].map(to_number).astype(float)
            if numbers.isna().any():
                odd = rows.loc[numbers.isna(), column].iloc[0]
                raise InputError(
                    f"target `{target}` should have numbers for `{metric}`. Found `{odd}` as "
                    f"{column}."
                )
            both.append(numbers)
        return both[0], both[1]
    if TASK_KINDS[METRICS[metric].kind].answer == "set":
        raise InputError(
            f"target `{target}` should have one label a row. Found `{metric}`, of several: give "
            "its scores, in a table of their own."
        )
    if METRICS[metric].reads_odds:
        return _code_odds(target, rows, metric)
    names = list_values(pd.concat([rows["label"], rows["prediction"]]))
    if TASK_KINDS[METRICS[metric].kind].reads_words:
        tags = dict(zip(names, number_tags(names).tolist(), strict=False))
        return rows["label"].map(tags), rows["prediction"].map(tags)
    codes = _number_classes(names)
    count = max(codes.values()) + 1
    if METRICS[metric].binary and count > 2:
        raise InputError(
            f"target `{target}` should have two classes for `{metric}`. Found {count}."
        )
    return rows["label"].map(codes), rows["prediction"].map(codes)


def _code_odds(target: str, rows: pd.DataFrame, metric: str) -> tuple[pd.Series, pd.Series]:
    """Return labels as codes of two classes, and predictions as numbers, whatever their scale."""
    odds = rows["prediction"].map(to_number).astype(float)
    codes = _number_classes(list_values(rows["label"]))
    if odds.isna().any() or len(codes) > 2:
        odd = rows.loc[odds.isna(), "prediction"]
        found = f"prediction `{odd.iloc[0]}`" if len(odd) else f"{len(codes)} classes"
        raise InputError(
            f"target `{target}` should have two classes and, for `{metric}`, numbers as "
            f"predictions that grow with the probability of the second one. Found {found}."
        )
    return rows["label"].map(codes), odds


def _number_classes(names: Sequence[str]) -> dict[str, int]:
    """Return class name to code, by size where all are numbers (so that 1 and 1.0 are one)."""
    numbers = [to_number(name) for name in names]
    if any(number is None or np.isnan(number) for number in numbers):
        return {name: code for code, name in enumerate(sorted(names))}
    sizes = sorted({float(number) for number in numbers if number is not None})
    return {
        name: sizes.index(float(number))
        for name, number in zip(names, numbers, strict=True)
        if number is not None
    }


def to_runs(table: PredictionTable, origin: Mapping[str, object]) -> SweepRuns:
    """Return predictions as the runs of a sweep (`relevance.pairwise.measure_runs`).

    Args:
        origin: what the predictions are of, for provenance.
    """
    found = table.predictions
    return SweepRuns(
        tasks=tuple(found),
        scores=tabulate_prediction_scores(found),
        predictions=found,
        losses={task: {} for task in found},
        n_dev={task: float(each.n_examples) for task, each in found.items()},
        n_train=None,
        study=origin,
    )


def tabulate_prediction_scores(predictions: Mapping[str, Predictions]) -> pd.DataFrame:
    """Return a row per run and target, the columns of `SCORES`."""
    rows = [
        (name_run(task, partner, seed), task, partner, seed, score)
        for task, found in predictions.items()
        for partner, arm in found.arms.items()
        for seed, score in zip(arm.seeds, score_runs(found, arm.values).tolist(), strict=True)
    ]
    return pd.DataFrame(rows, columns=list(SCORES.columns))
