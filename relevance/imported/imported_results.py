"""Results that were obtained elsewhere: scores, predictions or a matrix, whichever a path holds.

results = load_results(Path("scores.csv"))
results.write(output)                    # the files of a sweep, as far as they can be made
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from scipy import stats

from analysis.arrays import Floats
from analysis.gains.bootstrap import adjust
from analysis.levels import INTERVAL_LEVEL
from analysis.scores.predictions import Predictions
from hmnet.errors import InputError, raise_problems
from hmnet.folder.outputs import Output
from hmnet.storage.digests import digest, digest_file
from relevance.imported.imported_scores import (
    ImportedScores,
    ScoreOptions,
    check_scores,
    is_score_table,
)
from relevance.imported.prediction_table import (
    PredictionTable,
    is_prediction_table,
    read_prediction_table,
    to_runs,
)
from relevance.imported.score_measurement import measure_scores
from relevance.matrices.gain_table import GAINS, holds_gains
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.own_table import (
    Side,
    Unit,
    describe_own,
    find_constant,
    is_own_table,
    make_own_matrix,
    read_cells,
)
from relevance.matrices.plain_table import read_plain
from relevance.pairwise.effects import Effects, measure_effects
from relevance.pairwise.measurement import SweepMeasurement, measure_runs

Kind = Literal["scores", "predictions", "matrix"]
KINDS = ("scores", "predictions", "matrix")
HOLDS = (GAINS, "relevance")
_NORMAL_WIDTH = 2 * float(stats.norm.ppf((1 + INTERVAL_LEVEL) / 2))


@dataclass(frozen=True)
class ImportOptions:
    """What a file does not say itself.

    Attributes:
        kind: `scores`, `predictions` or `matrix`; None to tell by the columns.
        metric: of the targets for which no column names one.
        unit: of scores, or of a matrix' values.
        lower_is_better: whether scores (or the changes in a matrix) are losses or errors.
        targets: where a wide matrix has its targets.
        holds: `gains` or `relevance`, what a matrix' values are; None to tell by their signs.
    """

    kind: str | None = None
    metric: str | None = None
    unit: Unit = "auto"
    lower_is_better: bool = False
    targets: Side = "columns"
    holds: str | None = None


IMPORT_OPTIONS = ImportOptions()


@dataclass(frozen=True, eq=False)
class ImportedResults:
    """What was read, and measured in it.

    Attributes:
        kind: what the path held.
        matrix: gains with their uncertainty where there is any, or relevances.
        measurement: of scores and predictions.
        effects: main effects of gains that have no measurement with them.
        scores, predictions: what was read, where it was that.
    """

    kind: Kind
    matrix: RelevanceMatrix
    measurement: SweepMeasurement | None = None
    effects: Effects | None = None
    scores: ImportedScores | None = None
    predictions: PredictionTable | None = None

    @property
    def draws(self) -> Floats | None:
        """The matrix in every bootstrap draw that has all measured values, [B, T, T]."""
        if self.measurement is None or self.measurement.uncertainty is None:
            return None
        found = self.measurement.uncertainty.found
        place = [found.tasks.index(task) for task in self.matrix.tasks]
        draws = found.draws()[:, np.array(place)[:, None], place]
        measured = np.isfinite(self.matrix.to_frame().to_numpy(dtype=np.float64))
        kept = draws[np.isfinite(draws[:, measured]).all(axis=1)]
        return kept if len(kept) > 1 else None

    def write(self, output: Output) -> Path:
        """Write what a sweep would have written, as far as it is known; return the matrix' file.

        What is there of an earlier import, and the groups of another matrix, are removed.
        """
        path = output.pairwise if self.matrix.measure == "pairwise" else output.own
        _clear(output, path, self.matrix)
        if self.measurement is not None:
            self.measurement.write(output)
        else:
            self.matrix.write(path)
        if self.effects is not None:
            self.effects.write(output)
        return path


def _clear(output: Output, path: Path, matrix: RelevanceMatrix) -> None:
    if path == output.pairwise:
        for file in (
            output.draws,
            output.targets,
            output.collapsed,
            output.scores,
            output.additive,
            output.decomposition,
        ):
            file.unlink(missing_ok=True)
    is_same = path.exists() and RelevanceMatrix.read(path).identity == matrix.identity
    if path.exists() and not is_same:
        for file in (output.groups, output.clusters, output.stability):
            file.unlink(missing_ok=True)


def check_folder(output: Output) -> None:
    """Refuse a folder whose gains this package's own runs have measured.

    Raises:
        InputError: if it is one.
    """
    if not output.pairwise.exists():
        return
    if "imported" not in RelevanceMatrix.read(output.pairwise).provenance:
        raise InputError(
            f"Parameter `out` should be a folder without gains of its own. Found "
            f"`{output.folder}`, whose pairwise.parquet was measured by its own runs: give --out "
            "another folder."
        )


def is_importable(path: Path) -> bool:
    """Tell whether a path is a folder, or a table that this package did not write."""
    return path.is_dir() or (path.is_file() and is_own_table(path))


def find_kind(path: Path, options: ImportOptions = IMPORT_OPTIONS) -> Kind:
    """Return what a path holds, by its columns.

    Raises:
        InputError: for an unknown kind, or a file that is no table.
    """
    raise_problems(_check_options(options))
    if path.is_dir():
        return "predictions"
    frame = read_plain(path)
    if options.kind in KINDS:
        return options.kind  # type: ignore[return-value]
    if is_prediction_table(frame):
        return "predictions"
    return "scores" if is_score_table(frame) else "matrix"


def _check_options(options: ImportOptions) -> Iterator[str]:
    for name, value, known in (("kind", options.kind, KINDS), ("holds", options.holds, HOLDS)):
        if value is not None and value not in known:
            yield f"Parameter `{name}` should be one of {list(known)}. Found `{value}`."


def load_results(path: Path, options: ImportOptions = IMPORT_OPTIONS) -> ImportedResults:
    """Read and measure results of any trainer.

    Raises:
        InputError: with every problem of the path.
    """
    kind = find_kind(path, options)
    origin: dict[str, object] = {
        "kind": kind,
        "file": path.name,
        "digest": _digest(path),
        "lower_is_better": options.lower_is_better,
    }
    if kind == "scores":
        chosen = ScoreOptions(options.metric, options.unit, options.lower_is_better)
        table = check_scores(read_plain(path), str(path), chosen)
        origin["percent"] = list(table.percent)
        origin["metrics"] = {name: found.metric for name, found in table.targets.items()}
        found = measure_scores(table, {"imported": origin})
        effects = None if found.uncertainty else measure_effects(found.matrix, None, None)
        return ImportedResults(kind, found.matrix, found, effects, scores=table)
    if kind == "predictions":
        predictions = read_prediction_table(path, options.metric)
        origin["metrics"] = {t: each.metric for t, each in predictions.predictions.items()}
        measured = measure_runs(to_runs(predictions, {"imported": origin}))
        return ImportedResults(kind, measured.matrix, measured, predictions=predictions)
    matrix = _load_matrix(path, options, origin)
    effects = measure_effects(matrix, None, None) if matrix.measure == "pairwise" else None
    return ImportedResults(kind, matrix, effects=effects)


def _digest(path: Path) -> str:
    if path.is_file():
        return digest_file(path)
    files = [file for file in sorted(path.rglob("*")) if file.is_file()]
    return digest(*(part for f in files for part in (str(f.relative_to(path)), digest_file(f))))


def _load_matrix(
    path: Path, options: ImportOptions, origin: Mapping[str, object]
) -> RelevanceMatrix:
    """Read a matrix; one of gains becomes one of the measure `pairwise`, with p and q."""
    matrix = make_own_matrix(read_cells(path), path.name, options.unit, options.targets)
    if options.lower_is_better:
        matrix = _turn_signs(matrix)
    matrix = replace(matrix, provenance=_note_origin(matrix, options, origin))
    if not holds_gains(matrix):
        return matrix
    raise_problems(
        f"{path}: target `{target}` should have values that differ. Found one alone: nothing can "
        "be said of its sources; leave it out."
        for target in find_constant(matrix)
    )
    return _test_gains(matrix)


def _note_origin(
    matrix: RelevanceMatrix, options: ImportOptions, origin: Mapping[str, object]
) -> dict[str, object]:
    """Return the provenance of a matrix: its unit, and what it holds where that was said."""
    noted = {name: matrix.provenance[name] for name in ("unit", "unit_by")}
    holds = options.holds or matrix.provenance.get("holds")
    return {
        "imported": {**origin, "unit": noted["unit"]},
        **noted,
        **({} if holds is None else {"holds": holds}),
    }


def _turn_signs(matrix: RelevanceMatrix) -> RelevanceMatrix:
    table = matrix.table
    turned = table.assign(value=-table["value"], ci_low=-table["ci_high"], ci_high=-table["ci_low"])
    return RelevanceMatrix(turned, matrix.measure, matrix.provenance)


def _test_gains(matrix: RelevanceMatrix) -> RelevanceMatrix:
    """Return gains with a diagonal of 0, and p and q where intervals give them."""
    table = matrix.table
    is_own = (table["source"] == table["target"]).to_numpy()
    value = np.where(is_own, 0.0, table["value"])
    width = (table["ci_high"] - table["ci_low"]).to_numpy(dtype=np.float64)
    error = np.where((width > 0) & ~is_own, width / _NORMAL_WIDTH, np.nan)
    p_value = 2 * stats.norm.sf(np.abs(value) / error)
    tested = table.assign(value=value, p_value=p_value, q_value=adjust(p_value))
    return RelevanceMatrix(tested, "pairwise", matrix.provenance)


def describe_import(results: ImportedResults) -> Iterator[str]:
    """Yield how a path was read, in lines for the terminal."""
    if results.kind == "matrix":
        yield f"a matrix of {len(results.matrix.tasks)} tasks, {_describe_holds(results.matrix)}"
        yield from describe_own(results.matrix)
        return
    if results.scores is not None:
        yield from _describe_scores(results.scores)
    if results.predictions is not None:
        yield from _describe_predictions(results.predictions)


def _describe_holds(matrix: RelevanceMatrix) -> str:
    is_gain = matrix.measure == "pairwise"
    if "holds" in matrix.provenance:
        return "gains, as it says" if is_gain else "relevances, not gains, as it says"
    return "gains, as some are below 0" if is_gain else "relevances, not gains, as none is below 0"


def _describe_scores(table: ImportedScores) -> Iterator[str]:
    pairs = sum(bool(partner) for t in table.targets.values() for partner in t.arms)
    yield f"{len(table.raw)} scores of {len(table.targets)} targets, alone and in {pairs} pairings"
    if table.percent:
        is_all = len(table.percent) == len(table.targets)
        yield f"read as percent: {'all' if is_all else ', '.join(table.percent)} (--unit)"
    flat = [name for name, found in table.targets.items() if found.is_constant]
    if flat:
        yield f"all runs have one score, so that no gain can be seen: {', '.join(flat)}"
    if table.repeated:
        yield f"{table.repeated} rows stand twice and count once"


def _describe_predictions(table: PredictionTable) -> Iterator[str]:
    found: Mapping[str, Predictions] = table.predictions
    runs = sum(len(arm.seeds) for each in found.values() for arm in each.arms.values())
    yield f"predictions of {runs} runs for {len(found)} targets, from {table.files} files"
    if table.guessed:
        named = ", ".join(f"{task} {metric}" for task, metric in table.guessed.items())
        yield f"metric guessed from the labels (--metric, or a column `metric`): {named}"
