"""Every stored table is declared once, and the files of earlier versions are as declared."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from places import ROOT

import relevance.matrices.matrix
import relevance.tables
from hmnet.folder.outputs import Output
from hmnet.storage.declared import Document, Table
from relevance.matrices.matrix import ADDITIVE, PAIRWISE, VOCAB
from relevance.pairwise.effects import DECOMPOSITION
from relevance.pairwise.extra_seeds import REFINEMENT
from relevance.planted_record import PLANTED

SAMPLE = ROOT / "tests" / "frozen" / "1"
TABLES = {
    name: value
    for module in (relevance.tables, relevance.matrices.matrix)
    for name, value in vars(module).items()
    if isinstance(value, Table)
}
FOLDER = Output(Path())
PLACES: dict[Path, Table | Document[object]] = {
    FOLDER.vocab: VOCAB,
    FOLDER.pairwise: PAIRWISE,
    FOLDER.additive: ADDITIVE,
    FOLDER.scores: relevance.tables.SCORES,
    FOLDER.draws: relevance.tables.DRAWS_OF_GAINS,
    FOLDER.collapsed: relevance.tables.COLLAPSED,
    FOLDER.targets: relevance.tables.TARGETS,
    FOLDER.clusters: relevance.tables.CLUSTERS,
    FOLDER.stability: relevance.tables.STABILITY,
    FOLDER.compare: relevance.tables.COMPARISON,
    FOLDER.decomposition: DECOMPOSITION,  # type: ignore[dict-item]
    FOLDER.refinement: REFINEMENT,  # type: ignore[dict-item]
}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_sample_has_the_columns_that_are_declared(name: str) -> None:
    table = TABLES[name]
    files = sorted(SAMPLE.glob(table.file.format(one="*", other="*")))
    if not files:
        assert name == "ATTENTION_LAYERS"  # of all pairs; not sampled
    for path in files:
        assert table.find_problems(pq.read_schema(path).names) == []
        table.read(path)


def test_a_file_is_declared_where_the_output_folder_has_it() -> None:
    for path, kind in PLACES.items():
        assert path.name == kind.file
    assert PLANTED.file == "planted.json"


def test_no_file_is_declared_twice() -> None:
    files = [table.file for table in TABLES.values()]
    assert len(set(files)) == len(files)
