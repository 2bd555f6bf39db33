"""Wrong files in every reader's way: sentences that name the file, in bounded time and memory."""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from wrong_files import DAMAGES

from hmnet.data.file_formats import read_file
from hmnet.data.task_data import verify_folder
from hmnet.errors import RelevanceError
from hmnet.folder.integrity import verify
from hmnet.folder.outputs import Output, open_output
from hmnet.folder.status import describe_status
from hmnet.jobs.progress_file import ProgressRecord
from hmnet.runs.late_losses import read_late_losses
from hmnet.runs.result import read_result
from hmnet.runs.spec import read_spec
from hmnet.storage.tables import read_parquet
from hmnet.study.hierarchy import Groups
from hmnet.study.study import load_study
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.own_table import read_own_table
from relevance.pairwise.extra_seeds import read_refinement
from reports.html import write_report

FROZEN = Path(__file__).parent / "frozen" / "1"
MOST_S = 10.0
"""Of this process: other work of the machine does not count."""
MOST_BYTES = 600 * 2**20
SPECIAL = 7
"""The first damages are of special files: refused wherever they lie."""
RUN = "runs/grade-s0-bffc955049"
FILES: dict[str, Callable[[Path], object]] = {
    "study.toml": load_study,
    "output.json": lambda path: open_output(path.parent),
    "groups.json": Groups.read,
    "progress.json": ProgressRecord.read,
    "refinement.json": lambda path: read_refinement(Output(path.parent)),
    "pairwise.parquet": RelevanceMatrix.read,
    "tasks.parquet": read_parquet,
    f"{RUN}/spec.json": read_spec,
    f"{RUN}/result.json": read_result,
    f"{RUN}/metrics.jsonl": read_late_losses,
    f"{RUN}/predictions/grade.parquet": read_parquet,
}
ROWS = {
    "rows.csv": "text,label\na,0\nb,1\n",
    "rows.tsv": "text\tlabel\na\t0\nb\t1\n",
    "rows.json": '[{"text": "a", "label": 0}]',
    "rows.jsonl": '{"text": "a", "label": 0}\n{"text": "b", "label": 1}\n',
    "rows.csv.gz": "",
    "rows.jsonl.gz": "",
    "rows.parquet": "",
}


def check(read: Callable[[], object], path: Path) -> bool:
    """Read in bounded time and memory; tell whether it was refused, in sentences that name it."""
    before, began = measure_peak(), time.process_time()
    refused = None
    try:
        read()
    except RelevanceError as error:
        refused = error.problems
    assert time.process_time() - began < MOST_S
    assert measure_peak() - before < MOST_BYTES
    for text in refused or ():
        assert path.name in text or str(path.parent) in text
        assert "\n" not in text
        assert len(text) < 700
    return refused is not None


def measure_peak() -> int:
    """Return the most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_there_are_hundreds() -> None:
    assert len(DAMAGES) * (len(FILES) + len(ROWS)) >= 300


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_file_of_an_output_folder_is_refused(name: str, tmp_path: Path) -> None:
    for damage, make in DAMAGES.items():
        path = tmp_path / damage / name
        path.parent.mkdir(parents=True)
        shutil.copy(FROZEN / name, path)
        make(path)
        refused = check(lambda path=path: FILES[name](path), path)
        assert refused or may_hold(name, damage), damage


def may_hold(name: str, damage: str) -> bool:
    """Tell whether a damage leaves what its reader can use: nothing of it, or its first lines."""
    if name == "refinement.json":
        return damage in ("a dead link", "a loop")
    return name.endswith("metrics.jsonl") and damage == "cut to 0.0"


@pytest.mark.parametrize("name", ROWS)
def test_wrong_rows_are_refused_or_read(name: str, tmp_path: Path) -> None:
    for damage, make in DAMAGES.items():
        path = tmp_path / damage / name
        path.parent.mkdir()
        path.write_text(ROWS[name])
        make(path)
        refused = check(lambda path=path: read_file(path, ["text", "label"], str(path)), path)
        is_special = damage in list(DAMAGES)[:SPECIAL]
        assert refused or not is_special, damage


@pytest.mark.parametrize("name", ["m.csv", "m.tsv"])
def test_a_wrong_matrix_of_ones_own_is_refused(name: str, tmp_path: Path) -> None:
    for damage, make in DAMAGES.items():
        path = tmp_path / damage / name
        path.parent.mkdir()
        path.write_text(",a,b,c\na,0,1,1\nb,1,0,1\nc,1,1,0\n")
        make(path)
        assert check(lambda path=path: read_own_table(path), path), damage


def test_wrong_rows_on_disk_are_refused(tmp_path: Path) -> None:
    whole = next((FROZEN / "data").glob("grade-*"))
    for damage, make in DAMAGES.items():
        folder = Path(shutil.copytree(whole, tmp_path / damage / whole.name))
        make(next(folder.glob("*.npy")))
        with pytest.raises(RelevanceError, match=folder.name):
            verify_folder(folder)


@pytest.mark.parametrize("damage", list(DAMAGES)[:SPECIAL])
def test_verify_status_and_report_end_whatever_lies_there(damage: str, tmp_path: Path) -> None:
    out = Path(shutil.copytree(FROZEN, tmp_path / "out"))
    for name in FILES:
        DAMAGES[damage](out / name)
    texts = [problem.text for problem in verify(Output(out))]
    is_there = damage not in ("a loop", "a dead link")  # both are as no file at all
    if is_there:
        assert all(any(Path(name).name in text for text in texts) for name in list(FILES)[:7])
    assert list(describe_status(Output(out)))
    assert ("A file could not be read" in write_report(out).read_text()) == is_there


@pytest.mark.parametrize("name", ["study.toml", "groups.json", f"{RUN}/metrics.jsonl"])
def test_no_link_brings_a_file_of_this_machine_into_a_report(name: str, tmp_path: Path) -> None:
    out = Path(shutil.copytree(FROZEN, tmp_path / "out"))
    secret = tmp_path / "secret"
    shutil.copy(out / name, secret)
    with secret.open("a") as file:
        file.write("# a secret\n")
    (out / name).unlink()
    (out / name).symlink_to(secret)
    write_report(out)
    page = (out / "report.html").read_text()
    assert "a secret" not in page
    assert "a link that leads out of it" in page
