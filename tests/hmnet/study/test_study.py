"""The study file: what it says is what commands get; what it cannot say is told at once."""

from __future__ import annotations

import contextlib
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hmnet.errors import InputError, OutputFolderError
from hmnet.folder.outputs import OUTPUT_SCHEMA, Output, find_output_folder, open_output
from hmnet.storage.documents import write_document
from hmnet.study.settings import DataSettings, TrainingSettings
from hmnet.study.study import (
    PAPER_REVISION,
    Study,
    load_study,
    parse_settings,
    resolve_study,
    write_study,
)
from hmnet.study.study_file import PAPER_MODEL
from hmnet.study.tasks import FURTHER_TASKS, PAPER_TASKS, Source, Task

MINE = """
schema = "study/1"
[task.mine]
text = ["headline", "body"]
label = "wanted"
labels = ["no", "yes"]
metric = "f1"
metrics = ["accuracy"]
category = "news"
source = { folder = "rows/mine" }
splits = { train = "train", validation = "dev" }
"""


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "study.toml"
    path.write_text(text)
    return path


def problems_of(path: Path | None, overrides: dict[str, Any] | None = None) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        load_study(path, overrides or {})
    return caught.value.problems


# What a study is


def test_without_a_file_the_study_is_the_papers() -> None:
    study = load_study(None)
    assert dict(study.tasks) == dict(PAPER_TASKS)
    assert (study.model, study.revision) == (PAPER_MODEL, PAPER_REVISION)
    assert study.training == TrainingSettings(precision="auto")
    assert study.rows == DataSettings()
    assert (study.seeds, study.data_folder) == ((0,), None)
    assert study == Study(training=study.training)


def test_every_key_of_a_task_arrives(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, MINE))
    assert study.tasks["mine"] == Task(
        name="mine",
        text=("headline", "body"),
        label="wanted",
        labels=("no", "yes"),
        metric="f1",
        metrics=("accuracy",),
        category="news",
        source=Source(folder=str(tmp_path / "rows" / "mine")),
        splits={"train": "train", "validation": "dev"},
    )


def test_by_default_own_tasks_follow_the_papers(tmp_path: Path) -> None:
    assert list(load_study(write(tmp_path, MINE)).tasks) == [*PAPER_TASKS, "mine"]


def test_a_further_task_takes_part_only_where_it_is_named(tmp_path: Path) -> None:
    assert not set(FURTHER_TASKS) & set(PAPER_TASKS)
    assert not set(FURTHER_TASKS) & set(load_study(write(tmp_path, MINE)).tasks)
    named = MINE.replace('"study/1"', '"study/1"\ntasks = ["cola", "mine", "rte"]')
    study = load_study(write(tmp_path, named))
    assert study.tasks["cola"] == FURTHER_TASKS["cola"]
    assert study.tasks["cola"].metric == "matthews"
    output = open_output(tmp_path / "out")
    write_study(output.study_file, study)
    assert "[task.cola]" not in output.study_file.read_text()
    assert load_study(output.study_file).tasks["cola"] == FURTHER_TASKS["cola"]


def test_tasks_come_in_the_order_asked_for(tmp_path: Path) -> None:
    text = MINE.replace('"study/1"', '"study/1"\ntasks = ["stsb", "mine", "cb"]')
    assert list(load_study(write(tmp_path, text)).tasks) == ["stsb", "mine", "cb"]


def test_an_own_task_takes_the_place_of_a_built_in_one(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, MINE.replace("task.mine", "task.rte")))
    assert list(study.tasks) == list(PAPER_TASKS)
    assert study.tasks["rte"].text == ("headline", "body")


@pytest.mark.parametrize(
    ("kind", "metric"),
    [('labels = ["a", "b"]', "accuracy"), ('kind = "regression"', "correlation")],
)
def test_the_default_metric_fits_the_kind(tmp_path: Path, kind: str, metric: str) -> None:
    text = f'schema = "study/1"\n[task.mine]\ntext = ["t"]\n{kind}\nsource = {{ folder = "x" }}'
    assert load_study(write(tmp_path, text)).tasks["mine"].metric == metric


def test_integer_labels_stay_integers(tmp_path: Path) -> None:
    text = MINE.replace('["no", "yes"]', "[0, 1]")
    assert load_study(write(tmp_path, text)).tasks["mine"].labels == (0, 1)


# Paths


def test_paths_of_the_file_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "deep" / "encoder").mkdir(parents=True)
    text = 'schema = "study/1"\ndata = "../rows"\nmodel = "encoder"'
    study = load_study(write(tmp_path / "deep", text))
    assert study.data_folder == tmp_path / "rows"
    assert study.model == str(tmp_path / "deep" / "encoder")


def test_paths_of_flags_are_relative_to_the_working_directory(tmp_path: Path) -> None:
    (Path.cwd() / "encoder").mkdir()
    path = write(tmp_path / "deep", 'schema = "study/1"\ndata = "rows"')
    study = load_study(path, {"data": Path("elsewhere"), "model": "encoder"})
    assert study.data_folder == Path.cwd() / "elsewhere"
    assert study.model == str(Path.cwd() / "encoder")


def test_a_hub_id_is_no_path_even_beside_a_folder_of_that_name(tmp_path: Path) -> None:
    (Path.cwd() / "owner" / "encoder").mkdir(parents=True)
    path = write(tmp_path / "deep", 'schema = "study/1"\nmodel = "owner/encoder"')
    assert load_study(path).model == "owner/encoder"
    assert load_study(path, {"seeds": [1]}).model == "owner/encoder"


# Flags


def test_flags_override_the_file_and_none_does_not(tmp_path: Path) -> None:
    text = 'schema = "study/1"\nseeds = [1]\n[training]\nepochs = 5\nbatch_size = 8'
    overrides = {"training.epochs": 2, "rows.max_train": 50, "seeds": None, "tasks": ["cb"]}
    study = load_study(write(tmp_path, text), overrides)
    assert study.training == TrainingSettings(epochs=2, batch_size=8, precision="auto")
    assert study.rows.max_train == 50
    assert study.seeds == (1,)
    assert list(study.tasks) == ["cb"]


def test_a_flag_reaches_into_a_task(tmp_path: Path) -> None:
    overrides = {"task.mine.label": "other", "task.mine.source.folder": "here"}
    task = load_study(write(tmp_path, MINE), overrides).tasks["mine"]
    assert (task.label, task.text) == ("other", ("headline", "body"))
    assert task.source.folder == str(Path.cwd() / "here")


def test_another_model_does_not_inherit_the_files_revision(tmp_path: Path) -> None:
    path = write(tmp_path, 'schema = "study/1"\nmodel = "a/b"\nrevision = "abc"')
    assert load_study(path).revision == "abc"
    assert load_study(path, {"model": "c/d"}).revision is None
    assert load_study(path, {"model": "c/d", "revision": "def"}).revision == "def"
    assert load_study(path, {"model": PAPER_MODEL}).revision == PAPER_REVISION


def test_settings_of_the_command_line_are_toml_or_text() -> None:
    settings = ["training.epochs=1", "model=owner/name", 'tasks=["rte"]', "a = true", "b=1\nc=2"]
    assert parse_settings(settings) == {
        "training.epochs": 1,
        "model": "owner/name",
        "tasks": ["rte"],
        "a": True,
        "b": "1\nc=2",
    }


def test_every_setting_without_a_key_or_value_is_named() -> None:
    with pytest.raises(InputError) as caught:
        parse_settings(["epochs", "=3", "x=1"])
    assert len(caught.value.problems) == 2
    assert "`epochs`" in caught.value.problems[0]


# Bad input


def test_all_problems_are_told_at_once_with_the_closest_names(tmp_path: Path) -> None:
    text = """
        schema = "study/1"
        tasks = ["RTE", "mrcp"]
        sedes = [1]
        [training]
        epochs = 0
        lerning_rate = 1
        [task.mine]
        kind = "regresion"
        labels = [0.5]
        source = { repo = "a" }
    """
    path = write(tmp_path, text)
    found = problems_of(path, {"training.precision": "fp8"})
    expected = [
        "Found `RTE`. Did you mean `rte`",
        "Found `mrcp`. Did you mean `mrpc`",
        "`sedes` is unknown. Did you mean `seeds`?",
        "`training.epochs` should be greater than 0. Found `0`.",
        "`training.lerning_rate` is unknown. Did you mean `learning_rate`",
        "`task.mine.text` is missing.",
        "`task.mine.kind` should be 'classification', 'regression', 'tags' or "
        "'multilabel'. Found `'regresion'`.",
        "`task.mine.labels.0` should be a valid string",
        "`task.mine.source.repo` is unknown. Did you mean `repository`",
    ]
    for sentence in expected:
        matching = [problem for problem in found if sentence in problem]
        assert len(matching) == 1, (sentence, found)
        assert matching[0].startswith(f"{path}: ")
    assert [p for p in found if p.startswith("command line: Parameter `training.precision`")]


def test_a_tasks_own_contradictions_are_told_each(tmp_path: Path) -> None:
    text = MINE.replace('"f1"', '"pearson"').replace('["no", "yes"]', '["no", "no"]')
    found = problems_of(write(tmp_path, text))
    assert [problem.partition("Parameter ")[2] for problem in found] == [
        "`labels` should not repeat a label. Found `['no', 'no']`.",
        "`metric` should fit a classification. Found `pearson`.",
    ]


@pytest.mark.parametrize("text", ["tasks = [", "", "schema = 1", 'schema = "study/2"', "\0"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    assert all("study.toml" in problem for problem in problems_of(write(tmp_path, text)))


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in problems_of(tmp_path / "none.toml")[0]
    assert "should be TOML" in problems_of(tmp_path)[0]


def test_an_own_task_needs_rows_from_somewhere(tmp_path: Path) -> None:
    path = write(tmp_path, MINE.replace('source = { folder = "rows/mine" }', ""))
    (problem,) = problems_of(path)
    assert "`task.mine.source`" in problem
    assert load_study(path, {"data": "rows"}).tasks["mine"].source == Source()
    assert "mine" not in load_study(path, {"tasks": ["rte"]}).tasks


def test_a_task_has_one_source(tmp_path: Path) -> None:
    text = MINE.replace("folder =", 'repository = "a/b", folder =')
    assert "not both" in problems_of(write(tmp_path, text))[0]


@pytest.mark.parametrize("seeds", [[], [1, 1], [-1], ["x"], 3])
def test_seeds_are_distinct_whole_numbers(seeds: Any) -> None:
    assert "`seeds" in problems_of(None, {"seeds": seeds})[0]


@pytest.mark.parametrize("split", ["../up", "", "a/b", "x" * 65])
def test_a_split_that_cannot_be_a_file_name_is_refused(split: str) -> None:
    with pytest.raises(ValidationError, match="splits"):
        Task(name="mine", text=("t",), labels=(0, 1), splits={"train": "train", split: "dev"})


# Fuzzing: whatever TOML can say is a study or a told problem

SETTINGS = ["epochs", "dropout", "precision", "learning_rate", "max_train"]
FILE_KEYS = ["schema", "tasks", "model", "revision", "data", "seeds", "training", "rows", "task"]
TASK_KEYS = ["text", "label", "kind", "labels", "metric", "metrics", "splits", "source", "name"]
OTHER_KEYS = ["mine", "rte", "question", "folder", "repository", "train", ""]
KEYS = st.sampled_from([*SETTINGS, *FILE_KEYS, *TASK_KEYS, *OTHER_KEYS])
SCALARS = st.one_of(
    st.text(max_size=6),
    st.sampled_from(["study/1", "rte", "bf16", "f1", "regression", "~", "~x\0y", "../x"]),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.just(dt.date(2020, 2, 2)),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
TASK = st.fixed_dictionaries({}, optional=dict.fromkeys(TASK_KEYS, VALUES))
CONTENTS = st.fixed_dictionaries(
    {},
    optional={
        "schema": st.just("study/1") | SCALARS,
        "tasks": st.lists(st.sampled_from(["rte", "cb", "mine", "no"]), max_size=3) | VALUES,
        "model": VALUES,
        "data": VALUES,
        "seeds": st.lists(st.integers(), max_size=3) | VALUES,
        "training": st.dictionaries(KEYS, SCALARS, max_size=3) | VALUES,
        "rows": VALUES,
        "task": st.dictionaries(KEYS, TASK | VALUES, max_size=2) | VALUES,
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=CONTENTS, overrides=st.dictionaries(KEYS, VALUES, max_size=2))
def test_any_toml_is_a_study_or_a_told_problem(
    tmp_path: Path, content: dict[str, Any], overrides: dict[str, Any]
) -> None:
    path = write(tmp_path, tomli_w.dumps(content))
    for changes in ({}, overrides):
        try:
            study = load_study(path, changes)
        except InputError:
            continue
        write_study(tmp_path / "again.toml", study)
        assert load_study(tmp_path / "again.toml") == study


@given(text=st.text(max_size=40))
def test_any_setting_of_the_command_line_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        assert len(parse_settings([text])) == 1


def test_a_number_too_long_to_print_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, f'schema = "study/1"\nmodel = 0x{"f" * 5000}')
    assert "too long to print" in problems_of(path)[0]


# Recording


def test_a_written_study_reads_back_the_same(tmp_path: Path) -> None:
    study = Study(
        tasks={
            "cb": PAPER_TASKS["cb"],
            "own": Task(name="own", text=("a",), kind="regression", metric="pearson"),
            "rte": Task(name="rte", text=("a", "b"), labels=(0, 1), source=Source(folder="/x")),
        },
        model="owner/encoder",
        data_folder=tmp_path / "rows",
        training=TrainingSettings(epochs=1, dropout=0.0, precision="bf16"),
        rows=DataSettings(max_length=64, max_train=10),
        seeds=(3, 4),
        unused={"spare": Task(name="spare", text=("a",), labels=("x", "y"))},
    )
    write_study(tmp_path / "study.toml", study)
    assert load_study(tmp_path / "study.toml") == study


def test_the_first_command_records_and_later_ones_need_no_flags(tmp_path: Path) -> None:
    write(Path.cwd(), MINE)
    first = resolve_study(tmp_path, None, {"tasks": ["rte", "cb"], "rows.max_train": 9})
    (Path.cwd() / "study.toml").unlink()
    assert resolve_study(tmp_path) == first
    assert list(resolve_study(tmp_path, None, {"tasks": ["mine"]}).tasks) == ["mine"]
    assert resolve_study(tmp_path) == first, "a flag is for one command"


def test_the_named_file_goes_before_the_recorded_one_and_that_before_the_local_one(
    tmp_path: Path,
) -> None:
    named = write(tmp_path / "named", 'schema = "study/1"\nseeds = [1]')
    local = write(Path.cwd(), 'schema = "study/1"\nseeds = [3]')
    out = tmp_path / "out"
    assert resolve_study(out).seeds == (3,)
    assert resolve_study(out, named).seeds == (1,)
    assert resolve_study(out).seeds == (3,)
    local.unlink()
    assert resolve_study(out).seeds == (3,)


# The output folder


def test_the_folder_is_the_flags_then_the_environments_then_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert find_output_folder() == Path("relevance-out")
    monkeypatch.setenv("RELEVANCE_OUT", "elsewhere")
    assert find_output_folder() == Path("elsewhere")
    assert find_output_folder(Path("given")) == Path("given")


def test_a_created_folder_opens_again_with_everything_inside_it(tmp_path: Path) -> None:
    output = open_output(tmp_path / "a" / "b")
    assert open_output(tmp_path / "a" / "b", create=False) == output
    names = [name for name in dir(Output) if not name.startswith("_") and name != "folder"]
    places = [place for name in names if not callable(place := getattr(output, name))]
    paths = [getattr(place, "folder", place) for place in places]
    assert all(path.parent == output.folder for path in paths)
    assert len(set(paths)) == len(paths)


def test_a_study_file_may_wait_in_the_folder(tmp_path: Path) -> None:
    write(tmp_path, MINE)
    open_output(tmp_path)
    assert "mine" in resolve_study(tmp_path).tasks


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        (lambda folder: (folder / "thesis.tex").write_text("x"), "holds other files: thesis.tex"),
        (lambda folder: (folder / "output.json").write_text("{"), "should be JSON"),
        (
            lambda folder: write_document(folder / "output.json", "output/99", TrainingSettings()),
            "Found `{folder}` with `output/99`",
        ),
    ],
)
def test_a_folder_that_is_not_ours_is_refused_and_left_alone(
    tmp_path: Path, prepare: Any, told: str
) -> None:
    prepare(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(OutputFolderError) as caught:
        open_output(tmp_path)
    assert told.format(folder=tmp_path) in str(caught.value)
    assert len(caught.value.problems) == 1
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert after == before


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputFolderError, match="should be a folder"):
            open_output(out)


def test_without_create_a_folder_must_be_an_output_folder(tmp_path: Path) -> None:
    for out in (tmp_path / "none", tmp_path):
        with pytest.raises(OutputFolderError, match="should be an output folder"):
            open_output(out, create=False)
    assert not (tmp_path / "none").exists()


def test_an_interrupted_creation_does_not_lock_the_folder(tmp_path: Path) -> None:
    (tmp_path / ".output.json.abc.part").write_text("{")
    assert open_output(tmp_path).folder == tmp_path
    assert OUTPUT_SCHEMA in (tmp_path / "output.json").read_text()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"tasks = [}\n", "`tasks = [}`"),
        ("schema = \u201cstudy/1\u201d\n".encode(), "quotes should be straight ones"),
        ('schema = "study/1"\n'.encode("utf-16"), "in UTF-8"),
        (b'model = "a/b"\n', 'the first line of a study file is `schema = "study/1"`'),
    ],
)
def test_a_file_that_is_not_read_is_told_with_the_way_on(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_study(path)
    assert said in str(caught.value)


def test_a_missing_file_is_told_with_those_that_lie_there(tmp_path: Path) -> None:
    write(tmp_path, 'schema = "study/1"')
    with pytest.raises(InputError, match=r"does not exist\. .* holds .*\.toml"):
        load_study(tmp_path / "studdy.toml")
