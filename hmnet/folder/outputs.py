"""The output folder: one place for everything that a study leaves behind.

<out>/                  --out, else RELEVANCE_OUT, else ./relevance-out
    output.json         written first: which version of the layout this is
    manifest.json       digest and sources of every file here (`hmnet.storage.manifest`)
    study.toml          the tasks, the model and the settings
    data/               tokenised rows
    runs/               one folder per run
    vocab.parquet  pairwise.parquet  clusters.parquet  groups.json  report.html  ...
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic.dataclasses import dataclass as validated

from hmnet.errors import InputError, OutputFolderError
from hmnet.folder.newly_made import note_made
from hmnet.runs.store import RunStore
from hmnet.storage.documents import read_json, write_document
from hmnet.storage.manifest import begin_manifest
from hmnet.study.settings import STRICT
from hmnet.study.study import STUDY_FILE
from hmnet.version import VERSION

OUTPUT_SCHEMA = "output/1"
FOLDER_VARIABLE = "RELEVANCE_OUT"
DEFAULT_FOLDER = "relevance-out"
MARKER = "output.json"


@validated(frozen=True, config=STRICT)
class _Marker:
    package: str


@dataclass(frozen=True)
class Output:
    """Where everything lies in an output folder; `open_output` makes one.

    >>> Output(Path("relevance-out")).pairwise
    PosixPath('relevance-out/pairwise.parquet')

    Attributes:
        folder: the output folder itself.
    """

    folder: Path

    @property
    def study_file(self) -> Path:
        """The tasks, the model and the settings (`hmnet.study.study`)."""
        return self.folder / STUDY_FILE

    @property
    def data(self) -> Path:
        """Folder of tokenised rows (`hmnet.data.task_data`)."""
        return self.folder / "data"

    @property
    def runs(self) -> RunStore:
        """The store of runs."""
        return RunStore(self.folder / "runs")

    @property
    def progress(self) -> Path:
        """How far the last sweep is (`hmnet.jobs.progress_file`)."""
        return self.folder / "progress.json"

    @property
    def tasks(self) -> Path:
        """What each task's data is (`hmnet.folder.task_table`)."""
        return self.folder / "tasks.parquet"

    def matrix(self, measure: str) -> Path:
        """The relevance matrix of a measure, by the measure's name."""
        return self.folder / f"{measure}.parquet"

    @property
    def vocab(self) -> Path:
        """Vocabulary relevance (equations 1 and 2)."""
        return self.matrix("vocab")

    @property
    def pairwise(self) -> Path:
        """Model-based relevance (equations 3 and 4)."""
        return self.matrix("pairwise")

    @property
    def own(self) -> Path:
        """A matrix from elsewhere that holds no gains (`relevance import`)."""
        return self.folder / "own.parquet"

    @property
    def scores(self) -> Path:
        """The scores behind `pairwise`: a row per run and task."""
        return self.folder / "pairwise-scores.parquet"

    @property
    def draws(self) -> Path:
        """`pairwise` in every bootstrap draw."""
        return self.folder / "pairwise-draws.parquet"

    @property
    def collapsed(self) -> Path:
        """Runs of the sweep that did not learn one of their tasks."""
        return self.folder / "pairwise-collapsed.parquet"

    @property
    def targets(self) -> Path:
        """What is known of each target: its single runs, the majority class, what is detectable."""
        return self.folder / "pairwise-targets.parquet"

    @property
    def word_baseline(self) -> Path:
        """What words alone score on each task (`relevance.pairwise.word_baseline`)."""
        return self.folder / "word-baseline.parquet"

    @property
    def additive(self) -> Path:
        """Additive baseline: `pairwise` predicted from each source's effect on other targets."""
        return self.folder / "pairwise-additive.parquet"

    @property
    def decomposition(self) -> Path:
        """What of `pairwise` is due to sources, to targets, and to the two together."""
        return self.folder / "pairwise-decomposition.json"

    @property
    def refinement(self) -> Path:
        """Further seeds of some runs of the sweep."""
        return self.folder / "refinement.json"

    @property
    def agreement(self) -> Path:
        """What each cheap measure is worth, judged by `pairwise`."""
        return self.folder / "agreement.parquet"

    @property
    def attention(self) -> Path:
        """Folder of attention similarities."""
        return self.folder / "attention"

    @property
    def attention_layers(self) -> Path:
        """How attention relates to the gains of all pairs, layer by layer."""
        return self.folder / "attention-layers.parquet"

    @property
    def clusters(self) -> Path:
        """Which task fell into which cluster, and how stably."""
        return self.folder / "clusters.parquet"

    @property
    def stability(self) -> Path:
        """How often two tasks share a group when examples and seeds are resampled."""
        return self.folder / "stability.parquet"

    @property
    def groups(self) -> Path:
        """The groups that HMNet trains with (`hmnet.study.hierarchy.Groups`)."""
        return self.folder / "groups.json"

    @property
    def layer_agreement(self) -> Path:
        """How far tasks' gradients agree in each layer (`relevance advise`)."""
        return self.folder / "layer-agreement.parquet"

    @property
    def compare(self) -> Path:
        """Scores of several methods on the same tasks."""
        return self.folder / "compare.parquet"

    def sweep(self, kind: str) -> Path:
        """Scores of a sweep over hierarchies, by its kind: `layers` or `combinations`."""
        return self.folder / f"sweep-{kind}.parquet"

    def one_target(self, task: str) -> Path:
        """Which other tasks help one (`relevance target`)."""
        return self.folder / f"target-{task}.parquet"

    @property
    def planted(self) -> Path:
        """What was planted in a demo, and what of it was found."""
        return self.folder / "planted.json"

    @property
    def report(self) -> Path:
        """The report, one HTML file."""
        return self.folder / "report.html"


def find_output_folder(out: Path | None = None) -> Path:
    """Return the output folder's path: `out`, else the environment's, else `relevance-out`."""
    return out if out is not None else Path(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)


def open_output(out: Path | None = None, *, create: bool = True) -> Output:
    """Open an output folder, or create it.

    Args:
        out: the folder; None for the one that `find_output_folder` names.
        create: make the folder where there is none; else its absence is an error.

    Raises:
        OutputFolderError: if the folder cannot be made, was written by another version of the
            layout, or holds files of other programs.
    """
    folder = find_output_folder(out)
    was_there = folder.is_dir()
    try:
        names = _list_names(folder, create)
        if MARKER in names:
            _check_marker(folder)
        else:
            _check_unused(folder, names, create)
            note_made(folder, names if was_there else None)
            write_document(folder / MARKER, OUTPUT_SCHEMA, _Marker(package=VERSION))
        if create:
            begin_manifest(folder)
    except OSError as error:
        raise OutputFolderError(
            f"Parameter `out` should be a folder that can be written. "
            f"Found `{folder}`: {error.strerror or error}."
        ) from None
    return Output(folder)


def _list_names(folder: Path, create: bool) -> set[str]:
    """Return the names in the folder, listed before its marker is looked for.

    Whoever creates a folder writes the marker first, so a listing with other files of ours but
    without the marker cannot come from a folder that another process is just creating.
    """
    if create:
        folder.mkdir(parents=True, exist_ok=True)
    elif not folder.is_dir():
        raise OutputFolderError(
            f"Parameter `out` should be an output folder. Found `{folder}`, which does not exist."
        )
    return {path.name for path in folder.iterdir()}


def _check_marker(folder: Path) -> None:
    try:
        content = read_json(folder / MARKER)
    except InputError as error:
        raise OutputFolderError(f"{error} Choose another folder with --out.") from None
    found = content.get("schema")
    if found != OUTPUT_SCHEMA:
        raise OutputFolderError(
            f"Parameter `out` should be a folder with the layout `{OUTPUT_SCHEMA}`. Found "
            f"`{folder}` with `{found}`, written by version {content.get('package', 'unknown')} "
            f"(this is {VERSION}). Choose another folder with --out."
        )


def _check_unused(folder: Path, names: set[str], create: bool) -> None:
    """Refuse a folder with files of others; a study file that waits there is welcome."""
    if not create:
        raise OutputFolderError(
            f"Parameter `out` should be an output folder. Found `{folder}`, which has no {MARKER}."
        )
    foreign = sorted(n for n in names if n != STUDY_FILE and not n.startswith(f".{MARKER}."))
    if foreign:
        shown = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
        raise OutputFolderError(
            f"Parameter `out` should be an empty folder, a new one or an output folder. "
            f"Found `{folder}`, which holds other files: {shown}."
        )
