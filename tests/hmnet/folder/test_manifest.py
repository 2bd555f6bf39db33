"""What an output folder holds is what was written there, and is made from what is there now."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hmnet.errors import InputError, WriteError
from hmnet.folder.freshness import (
    Sources,
    deriving,
    find_stale,
    note_files,
    note_runs,
    note_study,
    tell_stale,
)
from hmnet.folder.integrity import describe_doubts, verify
from hmnet.folder.outputs import Output, open_output
from hmnet.folder.status import describe_status
from hmnet.runs.mixture import describe_studies, describe_versions
from hmnet.runs.result import RunResult
from hmnet.runs.store import RunStore
from hmnet.storage import files
from hmnet.storage.documents import write_document
from hmnet.storage.manifest import MANIFEST_FILE, read_manifest
from hmnet.storage.tables import read_parquet, write_table
from hmnet.study.hierarchy import Groups
from hmnet.study.settings import TrainingSettings
from hmnet.study.study import Study, load_study, write_study
from hmnet.study.tasks import PAPER_TASKS
from relevance.cli import app
from relevance.groups.group_format import STABILITY
from relevance.matrices.matrix import RelevanceMatrix
from relevance.pairwise.effects import EffectsRecord
from relevance.pairwise.sweep_record_format import DECOMPOSITION_SCHEMA
from reports.html import write_report

FROZEN = Path(__file__).parents[2] / "frozen" / "1"
TASKS = ("rte", "mrpc", "qqp", "mnli")
STUDY = Study(tasks={name: PAPER_TASKS[name] for name in TASKS})


def make_matrix(gain: float = 0.1) -> RelevanceMatrix:
    values = np.full((4, 4), -0.1)
    values[:2, :2] = values[2:, 2:] = gain
    return RelevanceMatrix.from_array(values, TASKS, "pairwise")


def write_pairwise(output: Output, matrix: RelevanceMatrix) -> None:
    sources = Sources("relevance pairwise", note_study(output, load_study(output.study_file)))
    with deriving(sources):
        matrix.write(output.pairwise)


def write_groups(output: Output) -> None:
    with deriving(Sources("relevance cluster", files=note_files(output, output.pairwise))):
        Groups({"1": TASKS[:2], "2": TASKS[2:]}).write(output.groups)
        together = pd.DataFrame({"task": ["rte"], "other": ["mrpc"], "together": [0.9]})
        write_table(output.stability, together, STABILITY.schema, {})


@pytest.fixture
def output(tmp_path: Path) -> Output:
    made = open_output(tmp_path / "out")
    write_study(made.study_file, STUDY)
    write_pairwise(made, make_matrix())
    write_groups(made)
    shares = {"row": 0.2, "column": 0.3, "interaction": 0.5}
    record = EffectsRecord("0", 0.0, {}, {}, shares, None, {}, (0, 0), (0, 0))
    with deriving(Sources("relevance pairwise")):
        write_document(made.decomposition, DECOMPOSITION_SCHEMA, record)
    write_report(made.folder)
    return made


def edit_gain(output: Output) -> Path:
    table, footer = read_parquet(output.pairwise)
    table.loc[1, "value"] = 0.5
    content = json.loads(footer[b"relevance"])
    other = output.folder.parent / "pairwise.parquet"
    write_table(other, table, content["schema"], content["provenance"])
    return Path(shutil.copy(other, output.pairwise))


def move_member(output: Output) -> Path:
    text = output.groups.read_text().replace("rte", "x").replace("qqp", "rte")
    output.groups.write_text(text.replace('"x"', '"qqp"'))
    return output.groups


def edit_share(output: Output) -> Path:
    output.decomposition.write_text(output.decomposition.read_text().replace("0.2", "0.7"))
    return output.decomposition


def edit_stability(output: Output) -> Path:
    table = pd.DataFrame({"task": ["rte"], "other": ["mrpc"], "together": [0.1]})
    other = output.folder.parent / "stability.parquet"
    write_table(other, table, STABILITY.schema, {})
    return Path(shutil.copy(other, output.stability))


def edit_report(output: Output) -> Path:
    output.report.write_text(output.report.read_text().replace("relevance", "irrelevance"))
    return output.report


EDITS = (edit_gain, move_member, edit_share, edit_stability, edit_report)


def test_an_undisturbed_folder_is_whole_and_fresh(output: Output) -> None:
    assert list(verify(output)) == []
    assert list(describe_doubts(output)) == []


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_a_valid_edit_is_found_and_what_makes_the_file_anew_is_named(
    output: Output, edit: Callable[[Output], Path]
) -> None:
    path = edit(output)
    (problem,) = verify(output)
    assert f"{path}: the file should be as it was written" in problem.text
    assert "`relevance " in problem.text
    assert "makes it anew" in problem.text


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (edit_gain, ["cluster", "--k", "2"]),
        (edit_gain, ["compare", "pairwise", "pairwise"]),
        (edit_gain, ["cluster", "--matrix", "OUT/pairwise.parquet"]),
    ],
)
def test_a_command_does_not_believe_an_edited_matrix(
    output: Output, edit: Callable[[Output], Path], words: list[str]
) -> None:
    edit(output)
    words = [word.replace("OUT", str(output.folder)) for word in words]
    with pytest.raises(InputError, match=r"pairwise\.parquet.*altered or cut short"):
        app([*words, "--out", str(output.folder)], standalone_mode=False)


def test_moved_members_are_not_trained_with(output: Output) -> None:
    move_member(output)
    with pytest.raises(InputError, match=r"groups\.json.*`relevance cluster` makes it anew"):
        Groups.read(output.groups)


@pytest.mark.parametrize("edit", [edit_gain, move_member, edit_share, edit_stability])
def test_a_report_leaves_out_what_was_edited_and_says_so(
    output: Output, edit: Callable[[Output], Path]
) -> None:
    path = edit(output)
    write_report(output.folder)
    page = output.report.read_text()
    assert f"A file could not be read: {path.name}" in page


def test_the_same_write_again_mends_an_edited_file(output: Output) -> None:
    edit_gain(output)
    write_pairwise(output, make_matrix())
    write_groups(output)
    assert list(verify(output)) == []
    assert RelevanceMatrix.read(output.pairwise).identity == make_matrix().identity


def test_a_kill_between_the_announcement_and_the_file_leaves_the_one_before(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, content: bytes) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(files, "replace_file", fail)
        for _ in range(2):
            with pytest.raises(WriteError):
                write_pairwise(output, make_matrix(0.3))
    assert list(verify(output)) == []
    assert RelevanceMatrix.read(output.pairwise).identity == make_matrix().identity
    write_pairwise(output, make_matrix(0.3))
    assert RelevanceMatrix.read(output.pairwise).identity == make_matrix(0.3).identity


def test_commands_in_one_folder_lose_no_entry(output: Output) -> None:
    def write(number: int) -> None:
        table = pd.DataFrame({"x": [number]})
        write_table(output.folder / "attention" / f"{number % 10}.parquet", table, "x/1", {})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    names = {name for name in read_manifest(output.folder).files if name.startswith("attention/")}
    assert names == {f"attention/{number}.parquet" for number in range(10)}
    assert list(verify(output)) == []


def test_a_matrix_of_other_settings_is_said_with_the_command_that_renews_it(
    output: Output, caplog: pytest.LogCaptureFixture
) -> None:
    training = replace(STUDY.training, epochs=STUDY.training.epochs + 6)
    write_study(output.study_file, replace(STUDY, training=training))
    (matrix, groups) = find_stale(output, output.pairwise, output.groups)
    epochs = f"`training.epochs` ({STUDY.training.epochs} to {training.epochs})"
    assert matrix == (
        f"pairwise.parquet is out of date: study.toml has other settings now: {epochs}. "
        "`relevance pairwise` makes it anew."
    )
    assert "pairwise.parquet, from which it was made, is out of date" in groups
    with caplog.at_level(logging.WARNING):
        app(["cluster", "--k", "2", "--out", str(output.folder)], standalone_mode=False)
    assert matrix in caplog.text
    assert matrix in list(describe_status(output))
    write_report(output.folder)
    page = output.report.read_text()
    assert "study.toml has other settings now" in page
    assert f"epochs = {training.epochs}" not in page


@pytest.mark.parametrize(
    ("study", "shown"),
    [
        (replace(STUDY, tasks={n: PAPER_TASKS[n] for n in TASKS[:3]}), "`tasks`"),
        (replace(STUDY, model="FacebookAI/roberta-base"), "`model`"),
        (
            replace(STUDY, tasks={**STUDY.tasks, "rte": replace(PAPER_TASKS["rte"], metric="f1")}),
            "task `rte`",
        ),
    ],
)
def test_an_edit_of_what_decides_numbers_is_named(output: Output, study: Study, shown: str) -> None:
    write_study(output.study_file, study)
    assert shown in find_stale(output, output.pairwise)[0]


def test_other_seeds_make_nothing_stale(output: Output) -> None:
    write_study(output.study_file, replace(STUDY, seeds=(0, 1, 2)))
    assert find_stale(output) == []


def test_groups_of_another_matrix_are_said(output: Output) -> None:
    write_pairwise(output, make_matrix(0.2))
    texts = find_stale(output, output.groups, output.stability)
    assert len(texts) == 2
    assert "pairwise.parquet has changed since" in texts[0]
    write_groups(output)
    assert find_stale(output, output.groups, output.stability) == []


def test_a_run_with_other_numbers_makes_its_matrix_stale(tmp_path: Path) -> None:
    shutil.copytree(FROZEN, tmp_path / "out")
    output = open_output(tmp_path / "out")
    runs = [path.name for path in output.runs.folder.iterdir()]
    with deriving(Sources("relevance pairwise", runs=note_runs(output, runs))):
        make_matrix().write(output.pairwise)
    assert find_stale(output) == []
    result = output.runs.folder / runs[0] / "result.json"
    content = json.loads(result.read_text())
    seconds = {**content, "seconds": {"train": 1.0}}
    result.write_text(json.dumps(seconds))
    assert find_stale(output) == []  # time is no number of the study
    first = next(iter(content["scores"].values()))
    first[next(iter(first))]["accuracy"] = 0.123
    result.write_text(json.dumps(content))
    assert f"1 of its {len(runs)} runs" in find_stale(output)[0]
    shutil.rmtree(result.parent)
    assert f"1 of its {len(runs)} runs" in find_stale(output)[0]


def test_files_older_than_the_manifest_are_read_and_said(tmp_path: Path) -> None:
    shutil.copytree(FROZEN, tmp_path / "out")
    output = open_output(tmp_path / "out")
    assert len(RelevanceMatrix.read(output.pairwise).tasks) == 3
    (line,) = describe_doubts(output)
    assert line.startswith("not in the manifest")
    assert "clusters.parquet" in line


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "manifest/1", "own": "0"}'])
def test_a_damaged_manifest_is_found_and_written_anew(output: Output, content: str) -> None:
    path = output.folder / MANIFEST_FILE
    path.write_text(content)
    assert any("manifest.json" in problem.text for problem in verify(output))
    with pytest.raises(InputError, match=r"manifest\.json.*delete it"):
        RelevanceMatrix.read(output.pairwise)
    write_report(output.folder)
    assert list(read_manifest(output.folder).files) == ["report.html"]


def test_files_of_users_are_theirs(output: Output) -> None:
    other = output.folder.parent / "mine"
    other.mkdir()
    (other / MANIFEST_FILE).write_text("not ours")
    make_matrix().write(other / "pairwise.parquet")
    assert RelevanceMatrix.read(other / "pairwise.parquet").tasks == TASKS
    tell_stale(output, other / "pairwise.parquet")


def read_results() -> list[RunResult]:
    store = RunStore(FROZEN / "runs")
    names = [path.name for path in sorted(store.folder.iterdir())]
    return [
        store.result(store.find(n)[1])
        for n in names
        if (FROZEN / "runs" / n / "result.json").exists()
    ]


def test_two_versions_in_one_mean_are_said() -> None:
    results = read_results()
    assert list(describe_versions(results)) == []
    other = replace(results[0], versions={**results[0].versions, "torch": "1.0"})
    (line,) = describe_versions([*results, other])
    assert "2 versions of torch, 1.0 and" in line


def test_two_studies_in_one_folder_are_said() -> None:
    store = RunStore(FROZEN / "runs")
    spec = store.find("grade-s0")[1]
    assert list(describe_studies([spec, spec])) == []
    longer = replace(spec, training=TrainingSettings(epochs=9))
    found = list(describe_studies([spec, longer]))
    assert any("several studies: epochs" in line and " and 9" in line for line in found)
    (line,) = describe_studies([spec, replace(spec, data={"grade": "0" * 32})])
    assert "rows of grade" in line
