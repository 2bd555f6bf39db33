"""An edit of the study file is followed, and a project folder may be moved."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hmnet.errors import InputError
from hmnet.study import study, study_origin
from hmnet.study.study import STUDY_FILE, load_study, resolve_study
from hmnet.study.study_origin import ORIGIN_FILE

TEXT = """schema = "study/1"
tasks = ["mine"]
data = "rows"
model = "encoder"
seeds = [1]
[rows]
max_length = 64
[task.mine]
text = ["a"]
labels = ["x", "y"]
[task.other]
text = ["a"]
labels = ["x", "y"]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    for name in ("rows", "encoder"):
        (folder / name).mkdir(parents=True)
    monkeypatch.chdir(folder)
    (folder / STUDY_FILE).write_text(TEXT)
    return folder


def edit(path: Path, old: str, new: str) -> None:
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_length = 64", "max_length = 8", "`rows.max_length` (64 to 8)"),
        ('["mine"]', '["mine", "other"]', "`tasks`"),
        ('labels = ["x", "y"]\n[task.other]', 'labels = ["y", "x"]\n[task.other]', "mine.labels"),
        ("seeds = [1]", "seeds = [1]\n[training]\nepochs = 7", "`training.epochs` (3 to 7)"),
    ],
)
@pytest.mark.parametrize("named", [None, Path(STUDY_FILE)])
def test_an_edited_study_file_is_used_and_told(
    project: Path, caplog: pytest.LogCaptureFixture, old: str, new: str, said: str, named: Path
) -> None:
    out = project / "out"
    resolve_study(out, named)
    edit(project / STUDY_FILE, old, new)
    assert resolve_study(out) == load_study(project / STUDY_FILE)
    assert said in caplog.text
    caplog.clear()
    assert resolve_study(out) == load_study(project / STUDY_FILE) == load_study(out / STUDY_FILE)
    assert not caplog.records, "told once"


def test_flags_of_the_first_command_stay_when_the_file_is_edited(project: Path) -> None:
    out = project / "out"
    resolve_study(out, None, {"seeds": [5], "rows.max_train": 9, "model": "encoder"})
    edit(project / STUDY_FILE, "max_length = 64", "max_length = 8")
    found = resolve_study(out)
    assert (found.seeds, found.rows.max_train, found.rows.max_length) == ((5,), 9, 8)


def test_an_edited_copy_is_used(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    out = project / "out"
    resolve_study(out)
    edit(out / STUDY_FILE, "max_length = 64", "max_length = 16")
    assert resolve_study(out).rows.max_length == 16
    assert not caplog.records


@pytest.mark.parametrize(("chosen", "length"), [("./study.toml", 8), ("out/study.toml", 16)])
def test_edits_of_both_are_refused_until_one_is_chosen(
    project: Path, chosen: str, length: int
) -> None:
    out = Path("out")
    resolve_study(out)
    edit(project / STUDY_FILE, "max_length = 64", "max_length = 8")
    edit(out / STUDY_FILE, "max_length = 64", "max_length = 16")
    with pytest.raises(
        InputError, match=r"`--study study.toml` goes on .*`--study out/study.toml`"
    ):
        resolve_study(out)
    assert resolve_study(out, Path(chosen)).rows.max_length == length
    assert resolve_study(out).rows.max_length == length


def test_another_study_file_that_lies_here_is_told(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (project / STUDY_FILE).rename(project / "first.toml")
    out = project / "out"
    resolve_study(out, Path("first.toml"))
    (project / STUDY_FILE).write_text(TEXT.replace("[1]", "[2]"))
    assert resolve_study(out).seeds == (1,)
    assert "not ./study.toml, which differs in `seeds` ([1] to [2])" in caplog.text


def test_a_comment_or_an_equal_value_is_no_edit(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = project / "out"
    resolve_study(out)
    edit(project / STUDY_FILE, "seeds = [1]", "seeds = [ 1 ]  # of the pilot")
    resolve_study(out)
    assert not caplog.records


def test_an_edit_that_breaks_the_file_is_told(project: Path) -> None:
    out = project / "out"
    resolve_study(out)
    edit(project / STUDY_FILE, "max_length = 64", "max_lenght = 64")
    with pytest.raises(InputError, match="max_lenght"):
        resolve_study(out)


def move(project: Path) -> Path:
    return project.rename(project.parent / "renamed")


def copy(project: Path) -> Path:
    moved = Path(shutil.copytree(project, project.parent / "elsewhere" / "copied"))
    shutil.rmtree(project)
    return moved


@pytest.mark.parametrize("carry", [move, copy])
@pytest.mark.parametrize("out", ["out", "outs/first", "relevance-out"])
def test_a_project_folder_may_be_moved_with_all_that_lies_in_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, carry: Callable[[Path], Path], out: str
) -> None:
    resolve_study(Path(out), None, {"model": "encoder"})
    moved = carry(project)
    monkeypatch.chdir(moved)
    study = resolve_study(Path(out))
    assert (study.data_folder, study.model) == (moved / "rows", str(moved / "encoder"))
    edit(moved / STUDY_FILE, "seeds = [1]", "seeds = [2]")
    study = resolve_study(Path(out))
    assert (study.seeds, study.model) == ((2,), str(moved / "encoder"))
    assert str(project) not in (Path(out) / ORIGIN_FILE).read_text()


def test_what_lies_outside_of_the_project_is_recorded_with_its_whole_path(
    project: Path, tmp_path: Path
) -> None:
    (tmp_path / "models" / "bert").mkdir(parents=True)
    resolve_study(project / "out", None, {"model": str(tmp_path / "models" / "bert")})
    assert f'model = "{tmp_path}/models/bert"' in (project / "out" / STUDY_FILE).read_text()
    assert 'data = "../rows"' in (project / "out" / STUDY_FILE).read_text()


def test_a_hub_id_is_recorded_as_it_is(project: Path) -> None:
    resolve_study(project / "out", None, {"model": "owner/encoder"})
    assert load_study(project / "out" / STUDY_FILE).model == "owner/encoder"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('source = "table.csv"', "Parameter `task.mine.source` should be a folder"),
        ('source = { folder = "table.csv" }', "Found `{project}/table.csv`"),
        ('source = "nowhere"', "Found `nowhere`"),
    ],
)
def test_a_source_that_is_no_folder_is_refused_in_a_sentence(
    project: Path, line: str, said: str
) -> None:
    (project / "table.csv").write_text("a,label\n")
    edit(project / STUDY_FILE, '[task.mine]\ntext = ["a"]', f'[task.mine]\n{line}\ntext = ["a"]')
    with pytest.raises(InputError) as caught:
        load_study(project / STUDY_FILE)
    assert said.format(project=project) in str(caught.value)
    assert len(caught.value.problems) == 1


def test_one_name_stands_for_a_list_of_one(project: Path) -> None:
    edit(
        project / STUDY_FILE, '[task.mine]\ntext = ["a"]', '[task.mine]\nmetrics = "f1"\ntext = "a"'
    )
    task = load_study(project / STUDY_FILE).tasks["mine"]
    assert (task.text, task.metrics) == (("a",), ("f1",))
    edit(project / STUDY_FILE, "[task.mine]", '[task.mine]\nsource = "rows"')
    assert load_study(project / STUDY_FILE).tasks["mine"].source.folder == str(project / "rows")


@pytest.mark.parametrize("name", [ORIGIN_FILE, STUDY_FILE])
def test_a_record_that_was_cut_off_is_made_again(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def write(out: Path) -> dict[str, bytes]:
        out.mkdir(exist_ok=True)
        resolve_study(out, None, {"training.epochs": 7})
        return {path.name: path.read_bytes() for path in sorted(out.iterdir())}

    whole = write(project / "out")
    cut = project / "cut"
    with monkeypatch.context() as patch:
        patch.setattr(study if name == STUDY_FILE else study_origin, WRITERS[name], fail)
        with pytest.raises(KeyboardInterrupt):
            write(cut)
    assert write(cut) == whole


WRITERS = {STUDY_FILE: "write_bytes", ORIGIN_FILE: "write_document"}


def fail(*words: object) -> None:
    raise KeyboardInterrupt
