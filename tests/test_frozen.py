"""Artefacts that earlier versions wrote are read, and those of versions to come are refused."""

from __future__ import annotations

import importlib
import json
import pkgutil
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import analysis
import hmnet
import relevance
from hmnet.data.task_data import DATA_SCHEMA, TaskDataRecord, verify_folder
from hmnet.errors import InputError, OutputFolderError
from hmnet.folder.outputs import OUTPUT_SCHEMA, Output, open_output
from hmnet.jobs.progress_file import PROGRESS_SCHEMA, ProgressRecord
from hmnet.models.saved import MODEL_SCHEMA, SavedModel
from hmnet.runs.result import FAILURE_SCHEMA, RESULT_SCHEMA, RunFailure, RunResult
from hmnet.runs.spec import SPEC_SCHEMA, RunSpec
from hmnet.runs.store import PREDICTIONS_SCHEMA
from hmnet.storage.documents import read_document, read_json
from hmnet.storage.manifest import MANIFEST_SCHEMA
from hmnet.storage.table_format import TableFormat
from hmnet.storage.tables import read_table
from hmnet.study.hierarchy import GROUPS_SCHEMA, Groups
from hmnet.study.study import load_study
from relevance.cli import app
from relevance.matrices.matrix import MATRIX_SCHEMA, RelevanceMatrix
from relevance.pairwise.extra_seeds import REFINEMENT_SCHEMA, Refinement, read_refinement
from relevance.pairwise.sweep_record_format import DECOMPOSITION_SCHEMA

SAMPLES = sorted((Path(__file__).parent / "frozen").iterdir())
NOT_SAMPLED = {
    "attention-layers/1",  # of all pairs
    "planted/1",  # of the demo
    "data-notes/1",  # newer than the sample, as the next
    "study-origin/1",
    "manifest/1",
    "stopping/1",
    "held-out/1",
    "layer-agreement/1",
    "one-target/1",
    "onnx/1",  # of an export, which lies elsewhere
    "agreement/1",
    "word-baseline/1",
    "printed/1",  # of --json, in no file
}
DOCUMENTS: dict[str, Any] = {
    SPEC_SCHEMA: RunSpec,
    RESULT_SCHEMA: RunResult,
    FAILURE_SCHEMA: RunFailure,
    DATA_SCHEMA: TaskDataRecord,
    MODEL_SCHEMA: SavedModel,
    PROGRESS_SCHEMA: ProgressRecord,
    GROUPS_SCHEMA: Groups,
    REFINEMENT_SCHEMA: Refinement,
}


def list_schemas() -> set[str]:
    """Return the schemas that the code knows."""
    found = set()
    for package in (hmnet, relevance, analysis):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(("__main__", "wandb")):
                content = vars(importlib.import_module(module.name))
                found |= {v for name, v in content.items() if name.endswith("_SCHEMA")}
                found |= {v.schema for v in content.values() if isinstance(v, TableFormat)}
    return found


def list_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files of a sample that name their schema, with its name."""
    for path in sorted(folder.rglob("*.json")):
        yield path, read_json(path)["schema"]
    for path in sorted(folder.rglob("*.parquet")):
        yield path, json.loads(pq.read_schema(path).metadata[b"relevance"])["schema"]


def test_every_schema_has_a_sample() -> None:
    sampled = {schema for folder in SAMPLES for _, schema in list_files(folder)}
    assert list_schemas() - NOT_SAMPLED - {"study/1"} == sampled


@pytest.mark.parametrize("folder", SAMPLES, ids=lambda folder: folder.name)
def test_a_sample_is_read(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(folder, out)
    output = open_output(out)
    assert list(load_study(output.study_file).tasks) == ["tone", "match", "grade"]
    for path, schema in list_files(out):
        if schema in DOCUMENTS:
            read_document(path, schema, DOCUMENTS[schema])
        elif path.suffix == ".parquet":
            assert len(read_table(path, schema)[0].columns) > 1
        else:
            assert schema in (OUTPUT_SCHEMA, DECOMPOSITION_SCHEMA, MANIFEST_SCHEMA)
    assert len(RelevanceMatrix.read(output.pairwise).tasks) == 3
    assert read_refinement(output) != Refinement()
    spec = output.runs.find("grade-tone")[1]
    assert len(output.runs.predictions(spec, "grade")) == 12
    verify_folder(next(output.data.glob("grade-*")))
    app(["cluster", "--k", "2", "--out", str(out)], standalone_mode=False)
    assert Groups.read(output.groups).groups == Groups.read(folder / "groups.json").groups
    app(["report", "--out", str(out)], standalone_mode=False)
    assert "grade" in output.report.read_text()


READERS: dict[str, Callable[[Path], object]] = {
    "pairwise.parquet": RelevanceMatrix.read,
    "groups.json": Groups.read,
    "progress.json": ProgressRecord.read,
    "output.json": lambda path: open_output(path.parent),
    "study.toml": load_study,
    "refinement.json": lambda path: read_refinement(Output(path.parent)),
    "runs/grade-s0-bffc955049/spec.json": lambda path: read_document(path, SPEC_SCHEMA, RunSpec),
    "runs/grade-s0-bffc955049/result.json": lambda p: read_document(p, RESULT_SCHEMA, RunResult),
    "runs/grade-s0-bffc955049/predictions/grade.parquet": (
        lambda path: read_table(path, PREDICTIONS_SCHEMA)
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_another_version_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(SAMPLES[-1], out)
    path = out / name
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        footer = table.schema.metadata[b"relevance"].replace(b'/1"', b'/99"')
        pq.write_table(
            table.replace_schema_metadata({**table.schema.metadata, b"relevance": footer}), path
        )
    else:
        path.write_text(path.read_text().replace('/1"', '/99"', 1))
    with pytest.raises((InputError, OutputFolderError)) as caught:
        READERS[name](path)
    assert len(caught.value.problems) == 1
    assert "/99" in str(caught.value)
    assert "/1" in str(caught.value)


def test_the_schema_of_matrices_is_the_one_that_was_sampled() -> None:
    assert MATRIX_SCHEMA in {schema for _, schema in list_files(SAMPLES[-1])}
