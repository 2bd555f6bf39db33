"""`relevance verify`: what was altered, cut short or lost is named, and can be redone."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_study import write_study

from hmnet.errors import InputError
from hmnet.folder import integrity
from hmnet.folder.integrity import discard_damaged, verify
from hmnet.folder.outputs import Output, open_output
from hmnet.jobs.prepared import prepare_study
from hmnet.models.saved import load_model, write_model
from hmnet.runs import result as run_result
from hmnet.runs.job import Job, Machine
from hmnet.runs.result import check_files
from hmnet.runs.store import RunStore
from hmnet.storage.tables import write_table
from hmnet.study.study import load_study
from hmnet.study.study import write_study as write_study_file
from hmnet.training.execution import execute
from relevance.matrices.matrix import RelevanceMatrix


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Job]:
    folder = tmp_path_factory.mktemp("study")
    study = load_study(write_study(folder))
    output = open_output(folder / "out")
    write_study_file(output.study_file, study)
    job = prepare_study(study, output.data).single("tone", 0)
    execute(job, output.runs, Machine())
    matrix = RelevanceMatrix.from_array(np.eye(2), ("tone", "match"), "vocabulary")
    matrix.write(output.vocab)
    output.groups.write_text('{"schema": "groups/1", "groups": {"1": ["tone", "match"]}}')
    return output.folder, job


@pytest.fixture
def output(whole: tuple[Path, Job], tmp_path: Path) -> Output:
    shutil.copytree(whole[0], tmp_path / "out")
    return open_output(tmp_path / "out")


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def test_a_whole_folder_has_no_problem(output: Output) -> None:
    assert list(verify(output)) == []


@pytest.mark.parametrize("damage", [cut, alter, Path.unlink])
@pytest.mark.parametrize("pattern", ["predictions/tone.parquet", "metrics.jsonl", "spec.json"])
def test_a_damaged_file_of_a_run_is_named_and_the_run_redone(
    output: Output, whole: tuple[Path, Job], pattern: str, damage: Callable[[Path], None]
) -> None:
    job = whole[1]
    path = output.runs.path(job.spec)
    before = (path / "predictions" / "tone.parquet").read_bytes()
    damage(path / pattern)
    problems = list(verify(output))
    assert problems
    assert all(problem.run == path for problem in problems)
    assert pattern in problems[0].text
    assert discard_damaged(problems) == [job.spec.run_id]
    assert not output.runs.is_done(job.spec)
    data = {name: output.data / folder.name for name, folder in job.data.items()}
    execute(Job(job.spec, data), output.runs, Machine())
    assert list(verify(output)) == []
    assert (path / "predictions" / "tone.parquet").read_bytes() == before


@pytest.mark.parametrize("damage", [cut, alter, Path.unlink])
@pytest.mark.parametrize("name", ["vocab.parquet", "output.json", "groups.json"])
def test_damage_to_other_files_is_named_or_harmless(
    output: Output, name: str, damage: Callable[[Path], None]
) -> None:
    damage(output.folder / name)
    texts = [problem.text for problem in verify(output)]
    assert all(name in text for text in texts)
    if damage is cut:
        assert texts


def test_altered_rows_are_found_by_their_fingerprint(output: Output) -> None:
    (folder,) = output.data.glob("tone-*")
    alter(folder / "train.tokens.npy")
    (problem,) = verify(output)
    assert problem.run is None
    assert "fingerprint" in problem.text or "numpy array" in problem.text


def test_a_renamed_run_is_not_taken_for_another(output: Output, whole: tuple[Path, Job]) -> None:
    path = output.runs.path(whole[1].spec)
    path.rename(path.with_name("tone-s1-0123456789"))
    (problem,) = verify(output)
    assert "should have the name of its run" in problem.text


def test_altered_predictions_are_refused_when_they_are_read(
    output: Output, whole: tuple[Path, Job]
) -> None:
    spec = whole[1].spec
    frame = output.runs.predictions(spec, "tone")
    write_table(
        output.runs.path(spec) / "predictions" / "tone.parquet",
        frame.assign(prediction=0),
        "predictions/1",
        {"run": spec.run_id},
    )
    with pytest.raises(InputError, match=r"tone\.parquet.*altered or cut short.*verify --redo"):
        output.runs.predictions(spec, "tone")


def test_an_altered_result_is_refused_when_it_is_read(
    output: Output, whole: tuple[Path, Job]
) -> None:
    path = output.runs.path(whole[1].spec) / "result.json"
    content = json.loads(path.read_text())
    content["primary"]["tone"] = 0.999
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"result\.json.*altered or cut short.*verify --redo"):
        output.runs.result(whole[1].spec)
    (problem,) = verify(output)
    assert problem.run == path.parent


def test_rows_that_were_altered_are_not_trained_on_and_made_again(
    output: Output, whole: tuple[Path, Job], tmp_path: Path
) -> None:
    job = whole[1]
    folder = output.data / job.data["tone"].name
    before = (folder / "train.tokens.npy").read_bytes()
    alter(folder / "train.tokens.npy")
    with pytest.raises(InputError, match=r"fingerprint.*a file was altered"):
        execute(Job(job.spec, {"tone": folder}), RunStore(tmp_path / "runs"), Machine())
    prepare_study(load_study(output.study_file), output.data)
    assert (folder / "train.tokens.npy").read_bytes() == before


def test_an_altered_model_is_refused_and_a_redone_run_leaves_nothing_of_it(
    output: Output, whole: tuple[Path, Job]
) -> None:
    spec = whole[1].spec
    data = {"tone": output.data / whole[1].data["tone"].name}
    execute(Job(spec, data, keep_model=True), output.runs, Machine())
    weights = output.runs.path(spec) / "model" / "model.safetensors"
    load_model(weights.parent, spec)
    alter(weights)
    with pytest.raises(InputError, match=r"model\.safetensors.*altered or cut short"):
        load_model(weights.parent, spec)
    assert discard_damaged(list(verify(output))) == [spec.run_id]
    assert not weights.exists()
    execute(Job(spec, data), output.runs, Machine())
    assert list(verify(output)) == []
    assert not output.runs.is_done(spec, with_model=True)


def test_a_file_that_cannot_be_read_is_a_problem_and_not_the_end(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(output.vocab)

    def fail(path: Path) -> str:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(run_result, "digest_file", fail)
    texts = [problem.text for problem in verify(output)]
    assert any("vocab.parquet" in text for text in texts)
    assert any("cannot be read: Input/output error" in text for text in texts)


def test_what_a_kill_left_of_a_write_goes_when_the_run_goes_on(
    whole: tuple[Path, Job], tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    folder = store.path(whole[1].spec)
    (folder / "model").mkdir(parents=True)
    left = [folder / ".spec.json.x.part", folder / "model" / ".model.safetensors.y.part"]
    for path in left:
        path.write_bytes(b"half")
    with store.locked(whole[1].spec):
        assert not any(path.exists() for path in left)


@pytest.mark.parametrize("name", ["../b", "/etc/hostname", "model/../../b"])
def test_a_file_outside_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").write_text("b")
    with pytest.raises(InputError, match="should lie in the folder"):
        check_files(tmp_path / "a", {name: ""})


def test_every_bad_file_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    with pytest.raises(InputError) as caught:
        check_files(tmp_path, {"a": "00", "b": "", "c": "11"})
    assert len(caught.value.problems) == 3
    check_files(tmp_path, {"a": ""})


def copy_job(output: Output, job: Job, *, keep_model: bool = False) -> Job:
    return Job(job.spec, {"tone": output.data / job.data["tone"].name}, keep_model=keep_model)


def test_a_done_run_stays_whole_while_it_is_done_again_for_its_model(
    output: Output, whole: tuple[Path, Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = copy_job(output, whole[1], keep_model=True)
    before = output.runs.result(job.spec)
    looks = []

    def write(*words: object) -> None:
        looks.append((list(verify(output)), output.runs.is_done(job.spec)))
        write_model(*words)  # type: ignore[arg-type]

    monkeypatch.setattr("hmnet.training.execution.write_model", write)
    execute(job, output.runs, Machine())
    assert looks == [([], True)]
    assert list(verify(output)) == []
    assert output.runs.is_done(job.spec, with_model=True)
    assert output.runs.result(job.spec).scores == before.scores
    assert not list(output.runs.path(job.spec).rglob(".again"))


@pytest.mark.parametrize("name", ["write_predictions", "finish", "adopt"])
def test_a_done_run_that_is_cut_off_when_done_again_is_whole_or_to_do(
    output: Output, whole: tuple[Path, Job], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    job = copy_job(output, whole[1], keep_model=True)

    def fail(*words: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunStore, name, fail)
        with pytest.raises(KeyboardInterrupt):
            execute(job, output.runs, Machine())
    assert list(verify(output)) == []
    assert output.runs.is_done(job.spec)
    execute(job, output.runs, Machine())
    assert list(verify(output)) == []
    assert output.runs.is_done(job.spec, with_model=True)


def test_a_run_that_has_become_whole_is_not_redone(output: Output, whole: tuple[Path, Job]) -> None:
    job = copy_job(output, whole[1])
    path = output.runs.path(job.spec) / "predictions" / "tone.parquet"
    content = path.read_bytes()
    alter(path)
    problems = list(verify(output))
    assert problems
    path.write_bytes(content)  # as the command that was writing it does
    assert discard_damaged(problems) == []
    assert output.runs.is_done(job.spec)


def test_a_run_that_is_being_done_is_not_redone(output: Output, whole: tuple[Path, Job]) -> None:
    job = copy_job(output, whole[1])
    alter(output.runs.path(job.spec) / "predictions" / "tone.parquet")
    problems = list(verify(output))
    (output.runs.path(job.spec) / "result.json").unlink()  # unmarked, and begun
    assert discard_damaged(problems) == []


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_zero(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("damage", [make_pipe, make_zero])
@pytest.mark.parametrize(
    "name", ["vocab.parquet", "output.json", "groups.json", "study.toml", "progress.json"]
)
def test_a_special_file_is_a_problem_and_is_not_read(
    output: Output, name: str, damage: Callable[[Path], None]
) -> None:
    (output.folder / name).touch()
    damage(output.folder / name)
    assert any(name in problem.text for problem in verify(output))


@pytest.mark.parametrize("damage", [make_pipe, make_zero])
@pytest.mark.parametrize("name", ["result.json", "spec.json", "predictions/tone.parquet"])
def test_a_special_file_in_a_run_is_a_problem_and_the_run_redone(
    output: Output, whole: tuple[Path, Job], name: str, damage: Callable[[Path], None]
) -> None:
    damage(output.runs.path(whole[1].spec) / name)
    problems = list(verify(output))
    assert any(name in problem.text for problem in problems)
    assert discard_damaged(problems) == [whole[1].spec.run_id]


def test_a_file_that_a_command_beside_takes_away_is_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = open_output(tmp_path / "out")
    gone = output.folder / "stability.parquet"
    gone.write_bytes(b"")
    listed = list(integrity._list_files(output))
    gone.unlink()  # between the listing and the reading
    assert gone in listed
    monkeypatch.setattr(integrity, "_list_files", lambda _: iter(listed))
    assert list(verify(output)) == []
    gone.write_bytes(b"")
    assert [problem for problem in verify(output) if "stability" in problem.text]
