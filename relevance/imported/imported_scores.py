"""A table of scores from any trainer: a row per target, partner and seed, checked as a whole.

| target | partner       | seed     | score | metric (optional) | n_dev (optional) |
| ------ | ------------- | -------- | ----- | ----------------- | ---------------- |
| rte    | (empty: alone)| 0        | 0.661 | accuracy          | 277              |
| rte    | mnli          | 0        | 0.797 | accuracy          | 277              |

Scores beyond 1 are percent. Where lower is better, by the flag or by a metric that is known for it
(`hmnet.study.metrics.is_error`), a score counts as its negative, as everywhere, so that a gain is
(single - joint) / single.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.gains.score_draws import ArmScores
from hmnet.errors import raise_problems
from hmnet.study.metrics import is_error
from relevance.imported.naming import check_names, name_arm
from relevance.matrices.own_table import UNITS, Unit
from relevance.matrices.plain_table import find_column, read_plain, to_numbers

COLUMNS = ("target", "partner", "seed", "score", "metric", "n_dev")
ALIASES: Mapping[str, tuple[str, ...]] = {
    "target": ("target", "task"),
    "partner": ("partner", "source"),
    "seed": ("seed",),
    "score": ("score",),
    "metric": ("metric",),
    "n_dev": ("n_dev",),
}
_MIXED = 20
"""Scores of one target that differ by such a factor, across 1, are in two units."""
_LEAST_CONSTANT = 3


@dataclass(frozen=True)
class ScoreOptions:
    """What a table of scores does not say itself.

    Attributes:
        metric: of the targets for which the table names none.
        unit: of the scores; `auto` takes a target's for percent where one is beyond 1.
        lower_is_better: whether scores are losses or errors.
    """

    metric: str | None = None
    unit: Unit = "auto"
    lower_is_better: bool = False


SCORE_OPTIONS = ScoreOptions()


@dataclass(frozen=True, eq=False)
class ImportedScores:
    """Scores that were checked.

    Attributes:
        targets: their scores, in the table's order of tasks; negative where lower is better.
        raw: a row per score, fractions: the columns target, partner, seed, score; negative
            likewise.
        percent: the targets whose scores were read as percent.
        repeated: rows that stood twice and were counted once.
    """

    targets: Mapping[str, ArmScores]
    raw: pd.DataFrame
    percent: tuple[str, ...]
    repeated: int


def is_score_table(frame: pd.DataFrame) -> bool:
    """Tell whether a table has the columns of scores."""
    return all(find_column(frame, *ALIASES[name]) for name in ("target", "score"))


def read_scores(path: Path, options: ScoreOptions = SCORE_OPTIONS) -> ImportedScores:
    """Read and check a table of scores.

    Raises:
        InputError: with every problem of the table.
    """
    return check_scores(read_plain(path), str(path), options)


def check_scores(frame: pd.DataFrame, name: str, options: ScoreOptions) -> ImportedScores:
    """Return the scores of a table of texts.

    Raises:
        InputError: with every problem of the table.
    """
    raise_problems([*_check_unit(options), *_check_columns(frame, name)])
    problems: list[str] = []
    table = _count_seeds(_take_columns(frame, problems))
    repeated = table.duplicated()
    table = table[~repeated].reset_index(drop=True)
    problems += _list_problems(table, options)
    raise_problems(f"{name}: {problem}" for problem in problems)
    percent = _find_percent(table, options)
    is_percent = table["target"].isin(percent)
    table["score"] = np.where(is_percent, table["score"] / 100, table["score"])
    table["score"] *= np.where(_find_errors(table, options), -1, 1)
    raw = table[["target", "partner", "seed", "score"]].copy()
    return ImportedScores(_gather(table, options), raw, percent, int(repeated.sum()))


def _check_unit(options: ScoreOptions) -> Iterator[str]:
    if options.unit not in UNITS:
        yield f"Parameter `unit` should be one of {list(UNITS)}. Found `{options.unit}`."


def _check_columns(frame: pd.DataFrame, name: str) -> Iterator[str]:
    needed = ("target", "partner", "score")
    lacking = [column for column in needed if find_column(frame, *ALIASES[column]) is None]
    if lacking:
        yield (
            f"{name}: the table should have the columns target, partner (empty: alone), seed and "
            f"score. Missing: {', '.join(lacking)}."
        )


def _take_columns(frame: pd.DataFrame, problems: list[str]) -> pd.DataFrame:
    """Return the known columns, numbers as numbers; absent ones are empty."""
    found = {column: find_column(frame, *names) for column, names in ALIASES.items()}
    table = pd.DataFrame(
        {c: frame[f] if f else [""] * len(frame) for c, f in found.items()}, dtype=object
    )
    places = [f"row {number}" for number in range(1, len(table) + 1)]
    for column in ("score", "seed", "n_dev"):
        named = [f"{place}, `{column}`," for place in places]
        is_score = column == "score"
        table[column] = to_numbers(
            table[column], named, problems, whole=not is_score, required=is_score
        )
    return table


def _count_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with a seed in each row: counted where the table has none."""
    known = table["seed"].notna()
    if not known.any():
        return table.assign(seed=table.groupby(["target", "partner"]).cumcount())
    return table.assign(seed=table["seed"].fillna(-1).astype(int))


def _list_problems(table: pd.DataFrame, options: ScoreOptions) -> Iterator[str]:
    yield from check_names(table, "scores")
    if any(table["seed"] < 0):
        yield "each row should have a seed where others have one. Found an empty one."
    table = table[table["score"].notna()]
    for (target, partner, seed), rows in table.groupby(["target", "partner", "seed"], sort=False):
        if rows["score"].nunique() > 1:
            arm = name_arm(str(target), str(partner))
            scores = ", ".join(f"{score:g}" for score in rows["score"].unique())
            yield f"{arm} should have one score for seed {seed}. Found {scores}."
    for target, rows in table.groupby("target", sort=False):
        yield from _list_target_problems(str(target), rows, options)


def _list_target_problems(target: str, rows: pd.DataFrame, options: ScoreOptions) -> Iterator[str]:
    scores = rows["score"]
    is_counted = rows["metric"].ne("").any() and rows["n_dev"].notna().any()
    if len(scores) >= _LEAST_CONSTANT and scores.nunique() == 1 and not is_counted:
        yield (
            f"target `{target}` should have scores that differ. Found {scores.iloc[0]:g} in all "
            f"{len(scores)} rows: leave it out, or say `metric` and `n_dev`, if that is what its "
            "runs scored."
        )
    for column in ("metric", "n_dev"):
        found = [value for value in rows[column].unique() if value not in ("",) and value == value]
        if len(found) > 1:
            shown = ", ".join(f"{value:g}" if column == "n_dev" else value for value in found)
            yield f"target `{target}` should have one `{column}`. Found {shown}."
    if (rows["n_dev"] < 1).any():
        yield f"target `{target}` should have at least one dev row. Found {rows['n_dev'].min():g}."
    size = scores.abs()
    positive = size[size > 0]
    is_mixed = (size > 1).any() and (positive <= 1).any() and size.max() > _MIXED * positive.min()
    if is_mixed and not _find_errors(rows, options).any() and options.unit == "auto":
        yield (
            f"target `{target}` should have its scores in one unit. Found {positive.min():g} and "
            f"{size.max():g}: fractions beside percent?"
        )


def _find_percent(table: pd.DataFrame, options: ScoreOptions) -> tuple[str, ...]:
    """Return the targets whose scores are percent."""
    targets = [str(target) for target in pd.unique(table["target"])]
    if options.unit != "auto":
        return tuple(targets) if options.unit == "percent" else ()
    fractions = np.where(_find_errors(table, options), 0.0, table["score"].abs())
    largest = table.assign(size=fractions).groupby("target")["size"].max()
    return tuple(target for target in targets if 1 < largest[target] <= 100)


def _find_errors(table: pd.DataFrame, options: ScoreOptions) -> npt.NDArray[np.bool_]:
    """Tell which rows hold an error, of which lower is better, [rows]."""
    metrics = table.groupby("target")["metric"].transform("max")
    named = metrics.where(metrics != "", options.metric or "")
    return (named.map(is_error) | options.lower_is_better).to_numpy(dtype=bool)


def _gather(table: pd.DataFrame, options: ScoreOptions) -> dict[str, ArmScores]:
    found = {}
    for target, rows in table.groupby("target", sort=False):
        arms: dict[str, dict[int, float]] = {}
        columns = (rows[name].tolist() for name in ("partner", "seed", "score"))
        for partner, seed, score in zip(*columns, strict=True):
            arms.setdefault(partner, {})[seed] = score
        metrics = [metric for metric in rows["metric"] if metric]
        sizes = rows["n_dev"].dropna()
        found[str(target)] = ArmScores(
            task=str(target),
            metric=metrics[0] if metrics else options.metric or "score",
            n_dev=int(sizes.iloc[0]) if len(sizes) else None,
            arms=arms,
            is_error=bool(_find_errors(rows, options).any()),
        )
    return found
