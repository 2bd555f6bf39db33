"""What a report is made from: everything that an output folder holds, read once.

Any stage may be missing, and any file may be broken: a missing one is None, a broken one becomes
a sentence in `problems`, so that one bad file never costs the whole report.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import pandas as pd
from pydantic.dataclasses import dataclass as validated

from hmnet.data.notes import NOTES_FILE, read_notes
from hmnet.errors import InputError, OutputFolderError
from hmnet.folder.freshness import find_stale
from hmnet.folder.outputs import Output
from hmnet.folder.task_format import TASKS
from hmnet.runs.mixture import describe_studies, describe_versions
from hmnet.storage.documents import MAX_DOCUMENT_BYTES, parse, read_document, read_json
from hmnet.storage.limits import LimitError
from hmnet.storage.manifest import MANIFEST_FILE, list_recorded
from hmnet.storage.regular_files import read_regular_text
from hmnet.study.hierarchy import Groups
from hmnet.study.metrics import is_error
from hmnet.study.settings import STRICT
from relevance.agreement.agreement_format import AGREEMENT
from relevance.attention.attention_format import ATTENTION, ATTENTION_LAYERS
from relevance.groups.group_format import CLUSTERS, STABILITY
from relevance.imported.named_matrix import open_matrix
from relevance.matrices.gain_table import GainTable, declares_gains, tabulate_gains
from relevance.matrices.holes import fill_holes
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.own_table import SIDES
from relevance.measures.registry import list_further
from relevance.pairwise.one_target_format import ONE_TARGET
from relevance.pairwise.sweep_record_format import COLLAPSED, DECOMPOSITION_SCHEMA, TARGETS
from relevance.pairwise.word_baseline_format import WORD_BASELINE
from relevance.planted_format import PLANTED_SCHEMA, PlantedRecord
from relevance.systems.comparison_format import COMPARISON
from reports.inputs.checked_tables import check_own, read_columns, read_with_origin
from reports.inputs.comparison_origin import ComparisonOrigin
from reports.inputs.decision_origin import read_decided_groups
from reports.inputs.hierarchy_sweeps import (
    CombinationSweep,
    LayerSweep,
    read_combinations,
    read_layers,
)
from reports.inputs.loss_curves import Curve, read_curves
from reports.inputs.run_index import RunIndex, RunRecord, read_runs
from reports.inputs.score_table import ScoreTable, arrange_scores

T = TypeVar("T")


@validated(frozen=True, config=STRICT)
class Shares:
    """What the variance of the gains is due to.

    Attributes:
        matrix: identity of the matrix that was taken apart.
        shares: `row` (sources), `column` (targets) and `interaction` to their share; None where
            all gains are equal.
        noise_shares: how large each would be from noise alone; None where that is not known.
    """

    matrix: str
    shares: Mapping[str, float] | None
    noise_shares: Mapping[str, float] | None = None


@dataclass(frozen=True, eq=False)
class AskedTarget:
    """What was found for one target (`relevance target`).

    Attributes:
        target: its name.
        decision: what to do, in a sentence.
        table: a row per source (`relevance.pairwise.one_target_format`).
    """

    target: str
    decision: str
    table: pd.DataFrame


@dataclass(frozen=True, eq=False)
class ReportInputs:
    """Everything that a report shows; None where a stage has not been run.

    Attributes:
        name: the output folder's name.
        vocabulary: vocabulary co-occurrence (equation 2).
        pairwise: relative gains (equation 4); without a sweep, those behind groups.json.
        further: matrices of measures that were asked for by name (`relevance.measures`), by the
            measure that they are of.
        agreement: what each cheap measure is worth (`relevance.agreement.agreement_format`).
        groups: the groups that HMNet trains with.
        clusters: a row per task, how it lies in its group (`relevance.groups.group_format`).
        together: share of bootstrap draws in which two tasks fall into one group, shape [T, T].
        comparison: scores of several systems (`relevance.systems.comparison_format`).
        comparison_origin: how these came to be: settings, rows, and each system's groups.
        planted: what was planted, in a planted study.
        attention: similarity of attention maps (`relevance.attention.attention_format`).
        layers: how attention goes with gains, layer by layer.
        layer_sweep: scores by the number of shared layers.
        combination_sweep: average scores of several {x,y,z} and groupings.
        targets: what is known of each target of a gain
            (`relevance.pairwise.sweep_record_format`).
        collapsed: runs of the sweep that did not learn a task.
        shares: what the gains' variance is due to.
        words: task to what words alone score (`relevance.pairwise.word_baseline_format`).
        asked: what helps single targets, one table for each (`relevance.pairwise.one_target`).
        data: a row per task and split, what its data are (`hmnet.folder.task_format`).
        notes: a sentence for each oddity of the rows (`hmnet.data.oddities`).
        runs: finished, failed and unfinished runs.
        curves: task to its loss curves.
        study: the study file's text.
        problems: sentences about files that could not be read.
        stale: sentences about files whose sources have changed (`hmnet.folder.freshness`).
        focus: the task that Figure 2 opens with.
    """

    name: str
    vocabulary: RelevanceMatrix | None = None
    pairwise: RelevanceMatrix | None = None
    further: Mapping[str, RelevanceMatrix] = field(default_factory=dict)
    agreement: pd.DataFrame | None = None
    groups: Groups | None = None
    clusters: pd.DataFrame | None = None
    together: pd.DataFrame | None = None
    comparison: pd.DataFrame | None = None
    comparison_origin: ComparisonOrigin = field(default_factory=ComparisonOrigin)
    planted: PlantedRecord | None = None
    attention: pd.DataFrame | None = None
    layers: pd.DataFrame | None = None
    layer_sweep: LayerSweep | None = None
    combination_sweep: CombinationSweep | None = None
    targets: pd.DataFrame | None = None
    words: Mapping[str, float] = field(default_factory=dict)
    collapsed: pd.DataFrame | None = None
    shares: Shares | None = None
    asked: tuple[AskedTarget, ...] = ()
    data: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    runs: RunIndex = field(default_factory=RunIndex)
    curves: Mapping[str, list[Curve]] = field(default_factory=dict)
    study: str | None = None
    problems: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    focus: str | None = None

    @property
    def matrices(self) -> dict[str, RelevanceMatrix]:
        """Every matrix that has been measured, by its measure; vocabulary and gains first."""
        standard = {"vocabulary": self.vocabulary, "pairwise": self.pairwise}
        there = {name: matrix for name, matrix in standard.items() if matrix is not None}
        return {**there, **self.further}

    @property
    def measured(self) -> RelevanceMatrix | None:
        """What the tasks are compared by: gains, else vocabulary, else another measure."""
        standard = self.pairwise if self.pairwise is not None else self.vocabulary
        return standard if standard is not None else next(iter(self.further.values()), None)

    @functools.cached_property
    def gains(self) -> GainTable | None:
        """The cells of the pairwise matrix."""
        return None if self.pairwise is None else tabulate_gains(self.pairwise)

    @functools.cached_property
    def scores(self) -> ScoreTable | None:
        """The comparison, as a table of systems by tasks."""
        return None if self.comparison is None else arrange_scores(self.comparison, self.errors)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Every task that any stage knows, in the order of the first one that does."""
        found: dict[str, None] = {}
        for matrix in (self.pairwise, self.vocabulary, *self.further.values()):
            found |= dict.fromkeys(matrix.tasks if matrix is not None else ())
        found |= dict.fromkeys(self.groups.tasks if self.groups is not None else ())
        found |= dict.fromkeys(task for record in self.runs.done for task in record.spec.names)
        return tuple(found)

    @functools.cached_property
    def errors(self) -> frozenset[str]:
        """The tasks that are scored by an error: their scores are its negative."""
        return _find_errors(self.runs, self.pairwise)

    @property
    def mixtures(self) -> list[str]:
        """Sentences about finished runs of several library versions or studies."""
        done = self.runs.done
        versions = describe_versions(record.result for record in done)
        return [*versions, *describe_studies(record.spec for record in done)]

    @property
    def imported(self) -> str | None:
        """The file that the gains were taken over from, None for gains of this folder's runs."""
        origin = None if self.pairwise is None else self.pairwise.provenance.get("imported")
        return str(origin.get("file", "results")) if isinstance(origin, Mapping) else None

    @property
    def lacks_seed_noise(self) -> bool:
        """Whether the gains' intervals hold for their very runs only, whatever their seeds."""
        if self.pairwise is None:
            return False
        if (has_noise := self.pairwise.has_seed_noise) is not None:
            return not has_noise
        runs = self.pairwise.table["n_seeds"].min()
        return bool(runs < 2)

    @property
    def trained(self) -> list[RunRecord]:
        """HMNet's finished runs: those with a hierarchy over all tasks of the groups."""
        if self.groups is None:
            return []
        names = tuple(sorted(self.groups.tasks))
        return [r for r in self.runs.of_kind("hierarchical") if r.spec.names == names]


def _find_errors(runs: RunIndex, pairwise: RelevanceMatrix | None) -> frozenset[str]:
    origin = None if pairwise is None else pairwise.provenance.get("imported")
    imported = origin if isinstance(origin, Mapping) else {}
    own = {task.name: task.metric for record in runs.done for task in record.spec.tasks}
    named: Mapping[str, str] = imported.get("metrics", {})
    if imported.get("lower_is_better"):
        return frozenset(named)
    return frozenset(task for task, metric in {**own, **named}.items() if is_error(metric))


def read_inputs(out: Path) -> ReportInputs:
    """Read an output folder, whatever stages have been run.

    Raises:
        OutputFolderError: if there is no such folder.
    """
    if not out.is_dir():
        raise OutputFolderError(f"Parameter `out` should be an output folder. Found `{out}`.")
    output = Output(out)
    reader = _Reader()
    runs = read_runs(output.runs.folder)
    comparison, origin = reader.read(output.compare, _read_comparison) or (None, ComparisonOrigin())
    groups = reader.read(output.groups, read_decided_groups)
    pairwise = reader.read(output.pairwise, RelevanceMatrix.read)
    if pairwise is None:
        pairwise = _read_named(output, groups, reader)
    return ReportInputs(
        name=out.resolve().name,
        vocabulary=reader.read(output.vocab, RelevanceMatrix.read),
        pairwise=pairwise,
        further=_read_further(output, reader),
        agreement=reader.read(output.agreement, _read_agreement),
        groups=groups,
        clusters=reader.read(output.clusters, _read_clusters),
        together=reader.read(output.stability, _read_together),
        comparison=comparison,
        comparison_origin=origin,
        planted=reader.read(output.planted, _read_planted),
        attention=_read_attention(output.attention, reader),
        layers=reader.read(output.attention_layers, _read_layers),
        layer_sweep=reader.read(
            output.sweep("layers"), partial(read_layers, errors=_find_errors(runs, pairwise))
        ),
        combination_sweep=reader.read(output.sweep("combinations"), read_combinations),
        targets=reader.read(output.targets, _read_targets),
        words=reader.read(output.word_baseline, _read_words) or {},
        collapsed=reader.read(output.collapsed, _read_collapsed),
        shares=reader.read(output.decomposition, _read_shares),
        asked=_read_asked(output, reader),
        data=reader.read(output.tasks, _read_tasks),
        notes=reader.read(output.data / NOTES_FILE, read_notes) or (),
        runs=runs,
        curves=read_curves(runs),
        study=reader.read(output.study_file, _read_text),
        stale=_find_stale(output, reader),
        problems=tuple(dict.fromkeys((*reader.problems, *runs.problems))),
    )


class _Reader:
    """Reads files that may be missing or broken; gathers what was wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def read(self, path: Path, load: Callable[[Path], T]) -> T | None:
        if not path.exists():
            return None
        try:
            check_own(path)
            return load(path)
        except InputError as error:
            # The folder's own path is left out: the report says the same wherever it lies.
            self.problems += [p.replace(str(path), path.name) for p in error.problems]
            return None


def _read_further(output: Output, reader: _Reader) -> dict[str, RelevanceMatrix]:
    """Read the matrices of the measures that no study is expected to have, in their order."""
    read = {
        measure.measure: reader.read(output.matrix(measure.name), RelevanceMatrix.read)
        for measure in list_further()
    }
    return {name: matrix for name, matrix in read.items() if matrix is not None}


def _read_named(output: Output, groups: Groups | None, reader: _Reader) -> RelevanceMatrix | None:
    """Return the gains that the groups were made from, where `--matrix` named them."""
    source = None if groups is None else groups.origin.get("source")
    if groups is None or not isinstance(source, str) or source in ("vocab", "pairwise", "manual"):
        return None
    is_table = source.startswith("paper:")
    if not is_table and not Path(source).exists():
        return None
    return reader.read(output.groups, lambda _: _find_grouped(output, groups, source))


def _find_grouped(output: Output, groups: Groups, source: str) -> RelevanceMatrix | None:
    """Return the gains that groups were made from, without what was filled in them."""
    for side in SIDES:  # which one was meant is not recorded, but what it gave
        matrix = open_matrix(output, None, source, side).matrix
        grouped = fill_holes(matrix).matrix
        if grouped.identity == groups.origin.get("matrix") and declares_gains(matrix):
            return matrix.select(grouped.tasks)
    return None


def _read_text(path: Path) -> str:
    try:
        return read_regular_text(path, MAX_DOCUMENT_BYTES, "replace")
    except (OSError, LimitError) as error:
        raise InputError(f"{path}: the file should be text. Found: {error}.") from None


def _find_stale(output: Output, reader: _Reader) -> tuple[str, ...]:
    """Return what is stale of what a report shows: of all but the report itself."""
    path = output.folder / MANIFEST_FILE
    found = reader.read(path, lambda _: _list_stale(output))
    return tuple(found or ())


def _list_stale(output: Output) -> list[str]:
    shown = [path for path in list_recorded(output.folder) if path != output.report]
    return find_stale(output, *shown) if shown else []


def _read_planted(path: Path) -> PlantedRecord:
    return read_document(path, PLANTED_SCHEMA, PlantedRecord)


def _read_clusters(path: Path) -> pd.DataFrame:
    return read_columns(path, CLUSTERS)


def _read_comparison(path: Path) -> tuple[pd.DataFrame, ComparisonOrigin]:
    frame, found = read_with_origin(path, COMPARISON)
    origin = parse(ComparisonOrigin, found, str(path))
    return frame.astype({"system": "str", "task": "str", "score": "float64"}), origin


def _read_together(path: Path) -> pd.DataFrame:
    """Read how often two tasks fall into one group, as a square table."""
    frame = read_columns(path, STABILITY)
    wide = frame.pivot_table(index="task", columns="other", values="together", sort=False)
    if list(wide.index) != list(wide.columns):
        raise InputError(f"{path}: the table should hold every pair of its tasks.")
    return wide


def _read_agreement(path: Path) -> pd.DataFrame:
    return read_columns(path, AGREEMENT)


def _read_layers(path: Path) -> pd.DataFrame:
    return read_columns(path, ATTENTION_LAYERS)


def _read_tasks(path: Path) -> pd.DataFrame:
    return read_columns(path, TASKS)


def _read_targets(path: Path) -> pd.DataFrame:
    return read_columns(path, TARGETS)


def _read_words(path: Path) -> dict[str, float]:
    """Return task to the score on its newest rows."""
    table = read_columns(path, WORD_BASELINE)
    return dict(zip(table["task"], table["score"], strict=True))


def _read_asked(output: Output, reader: _Reader) -> tuple[AskedTarget, ...]:
    """Read every table of `relevance target`, by the targets' names."""
    files = sorted(output.folder.glob(output.one_target("*").name))
    found = (reader.read(path, _read_one_target) for path in files)
    return tuple(each for each in found if each is not None)


def _read_one_target(path: Path) -> AskedTarget:
    table, origin = read_with_origin(path, ONE_TARGET)
    return AskedTarget(str(origin.get("target", "")), str(origin.get("decision", "")), table)


def _read_collapsed(path: Path) -> pd.DataFrame:
    return read_columns(path, COLLAPSED, may_be_empty=True)


def _read_shares(path: Path) -> Shares:
    content = read_json(path)
    if content.get("schema") != DECOMPOSITION_SCHEMA:
        raise InputError(
            f"{path}: Parameter `schema` should be `{DECOMPOSITION_SCHEMA}`. "
            f"Found `{content.get('schema')}`."
        )
    wanted = {name: content.get(name) for name in ("matrix", "shares", "noise_shares")}
    return parse(Shares, wanted, str(path))


def _read_attention(folder: Path, reader: _Reader) -> pd.DataFrame | None:
    """Read every table of attention similarities as one."""
    if not folder.is_dir():
        return None
    tables = [
        reader.read(path, lambda p: read_columns(p, ATTENTION))
        for path in sorted(folder.glob("*.parquet"))
    ]
    found = [table for table in tables if table is not None]
    return pd.concat(found, ignore_index=True) if found else None
