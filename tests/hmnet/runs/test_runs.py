"""A run's identity is what decides its numbers, all of it and nothing else; the store keeps it."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_runs import SPEC
from places import ROOT
from pydantic import ValidationError

from hmnet.commands.stored_run import read_run
from hmnet.errors import InputError
from hmnet.folder.outputs import Output, open_output
from hmnet.runs import spec as run_spec
from hmnet.runs import store as run_store
from hmnet.runs.result import RunFailure, RunResult, read_result
from hmnet.runs.spec import RunSpec
from hmnet.runs.store import RunStore
from hmnet.storage.documents import read_document, to_plain
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import Distillation, TrainingSettings
from hmnet.study.stages import parse_stages
from hmnet.study.tasks import PAPER_TASKS, Source, Task

RESULT = RunResult(
    scores={"cb": {"validation": {"accuracy": 0.75}}},
    primary={"cb": 0.75},
    n_dev={"cb": {"validation": 56}},
    steps=24,
    train_tokens=1000,
    seconds={"train": 1.5, "evaluate": 0.5},
    parameters={"overall": 10, "activated": 5},
    final_loss={"cb": 0.4},
    versions={"torch": "2"},
)
PREDICTIONS = pd.DataFrame(
    {
        "split": ["validation", "validation"],
        "row": [0, 1],
        "label": [0, 1],
        "prediction": [0, 0],
        "question": [-1, -1],
        "logits": [[0.5, -0.5], [0.25, 0.0]],
    }
)


def change_task(spec: RunSpec, **changes: Any) -> RunSpec:
    first, *rest = spec.tasks
    return dataclasses.replace(spec, tasks=(dataclasses.replace(first, **changes), *rest))


def change_training(spec: RunSpec, **changes: Any) -> RunSpec:
    return dataclasses.replace(spec, training=dataclasses.replace(spec.training, **changes))


def change_model(spec: RunSpec, **changes: Any) -> RunSpec:
    return dataclasses.replace(spec, model=dataclasses.replace(spec.model, **changes))


def teach(spec: RunSpec, **weights: Any) -> RunSpec:
    training = dataclasses.replace(spec.training, distillation=Distillation(**weights))
    teachers = {"cb": "cb-s0-aaaaaaaaaa", "rte": "rte-s0-cccccccccc"}
    return dataclasses.replace(spec, training=training, teachers=teachers)


# Identity

STAGES = parse_stages("12,0,0:0.6 8,2,2:0.4")
DECISIVE: dict[str, Callable[[RunSpec], RunSpec]] = {
    "seed": lambda spec: dataclasses.replace(spec, seed=1),
    "engine": lambda spec: dataclasses.replace(spec, engine_version=99),
    "data": lambda spec: dataclasses.replace(spec, data={"cb": "c1", "rte": "r0"}),
    "hierarchy": lambda spec: dataclasses.replace(spec, hierarchy=HierarchySpec(8, 3, 1)),
    "groups": lambda spec: dataclasses.replace(spec, groups=(("cb", "rte"),)),
    "weights": lambda spec: change_model(spec, fingerprint="others"),
    "metric": lambda spec: change_task(spec, metric="f1_macro"),
    "label order": lambda spec: change_task(
        spec, labels=("neutral", "entailment", "contradiction")
    ),
    "text": lambda spec: change_task(spec, text=("hypothesis", "premise")),
    **{
        f"training.{name}": lambda spec, name=name, value=value: change_training(
            spec, **{name: value}
        )
        for name, value in {
            "epochs": 4,
            "batch_size": 16,
            "learning_rate": 1e-5,
            "warmup_frac": 0.1,
            "weight_decay": 0.0,
            "clip_norm": 2.0,
            "dropout": 0.0,
            "precision": "bf16",
            "loss_weights": {"cb": 2.0},
        }.items()
    },
    "training.shared_rows": lambda spec: change_training(spec, shared_rows="together"),
    "training.class_weights": lambda spec: change_training(spec, class_weights="balanced"),
    "training.class_weights, given": lambda spec: change_training(
        spec, class_weights={"cb": (1.0, 2.0, 1.0)}
    ),
    "training.distillation": lambda spec: teach(spec),
    "training.distillation, weights": lambda spec: teach(spec, start=0.5),
    "teachers": lambda spec: dataclasses.replace(
        teach(spec), teachers={"cb": "cb-s0-aaaaaaaaaa", "rte": "rte-s0-bbbbbbbbbb"}
    ),
    "training.stopping": lambda spec: change_training(spec, stopping="task"),
    "training.averaging": lambda spec: change_training(spec, averaging=0.5),
    "training.averaging_steps": lambda spec: change_training(
        spec, averaging=0.5, averaging_steps=10
    ),
    "stages": lambda spec: dataclasses.replace(spec, stages=STAGES),
    "stages, slowed": lambda spec: dataclasses.replace(
        spec, stages=(STAGES[0], dataclasses.replace(STAGES[1], lower_rate=0.5))
    ),
    "stages, other shares": lambda spec: dataclasses.replace(
        spec, stages=parse_stages("12,0,0:0.7 8,2,2:0.3")
    ),
    "start from": lambda spec: dataclasses.replace(spec, start_from=spec.run_id),
    "training.sampling": lambda spec: change_training(spec, sampling="capped", cap=9),
    "training.cap": lambda spec: change_training(spec, sampling="capped", cap=10),
    "training.temperature": lambda spec: change_training(
        spec, sampling="temperature", temperature=2.0
    ),
}
INDIFFERENT: dict[str, Callable[[RunSpec], RunSpec]] = {
    "class weights of no task of the run": lambda spec: change_training(
        spec, class_weights={"mnli": "balanced"}
    ),
    "model name": lambda spec: change_model(spec, name="/local/copy", revision=None),
    "source": lambda spec: change_task(spec, source=Source(folder="/local/copy")),
    "category": lambda spec: change_task(spec, category="another"),
    "split names at the source": lambda spec: change_task(
        spec, splits={"train": "training", "validation": "dev"}
    ),
    "order of the data": lambda spec: dataclasses.replace(spec, data={"rte": "r0", "cb": "c0"}),
    "one stage": lambda spec: dataclasses.replace(spec, stages=parse_stages("8,2,2:1")),
    "integers for floats": lambda spec: change_training(spec, clip_norm=1),
}


@pytest.mark.parametrize("change", DECISIVE.values(), ids=DECISIVE.keys())
def test_what_decides_the_numbers_changes_the_identity(change: Callable[..., RunSpec]) -> None:
    assert change(SPEC).run_id != SPEC.run_id


@pytest.mark.parametrize("change", INDIFFERENT.values(), ids=INDIFFERENT.keys())
def test_what_does_not_decide_the_numbers_keeps_the_identity(
    change: Callable[..., RunSpec],
) -> None:
    assert change(SPEC).run_id == SPEC.run_id


def test_every_training_setting_is_among_the_decisive_ones() -> None:
    settings = {f"training.{field.name}" for field in dataclasses.fields(TrainingSettings)}
    # targets decide the numbers of runs with a regression alone: tests/hmnet/training/test_targets;
    # a threshold those of runs with sets of labels: tests/hmnet/training/test_sets
    assert settings - {"training.targets", "training.threshold"} <= set(DECISIVE)


def test_every_exemption_names_a_field_that_exists() -> None:
    plain = to_plain(SPEC)
    for path in run_spec.NOT_IDENTITY:
        owner, name = path.split(".")
        entries = plain[owner] if isinstance(plain[owner], list) else [plain[owner]]
        assert all(name in entry for entry in entries)


def test_groups_do_not_matter_without_cluster_layers() -> None:
    shared = dataclasses.replace(SPEC, hierarchy=HierarchySpec(12, 0, 0))
    assert dataclasses.replace(shared, groups=(("cb", "rte"),)).run_id == shared.run_id


def test_rows_are_shared_by_several_tasks_alone() -> None:
    single = dataclasses.replace(
        SPEC, tasks=SPEC.tasks[:1], data={"cb": SPEC.data["cb"]}, groups=(("cb",),)
    )
    together = change_training(single, shared_rows="together")
    assert together.run_id == single.run_id


def test_groups_matter_where_a_stage_has_cluster_layers() -> None:
    task_layers = dataclasses.replace(
        SPEC, hierarchy=HierarchySpec(8, 0, 4), stages=parse_stages("8,4,0:0.5 8,0,4:0.5")
    )
    assert dataclasses.replace(task_layers, groups=(("cb", "rte"),)).run_id != task_layers.run_id


def test_no_two_decisive_changes_share_an_identity() -> None:
    changed = [change(SPEC).run_id for change in DECISIVE.values()]
    assert len(set(changed)) == len(changed)


def test_whoever_is_taught_has_a_teacher() -> None:
    with pytest.raises(ValidationError, match="`teachers` should name one for each task"):
        dataclasses.replace(teach(SPEC), teachers={})
    with pytest.raises(ValidationError, match="`teachers` should name one for each task"):
        dataclasses.replace(SPEC, teachers={"cb": "cb-s0-aaaaaaaaaa"})


@pytest.mark.parametrize("text", ["12,0,0:1", "12,0,0:0.5 8,1,3:0.5"])
def test_a_run_has_the_hierarchy_of_its_last_stage(text: str) -> None:
    with pytest.raises(ValidationError, match="`hierarchy` should be that of the last stage"):
        dataclasses.replace(SPEC, stages=parse_stages(text))


def test_the_identity_survives_the_disk_and_another_process(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write_spec(SPEC)
    path = store.path(SPEC) / "spec.json"
    assert read_document(path, run_spec.SPEC_SCHEMA, RunSpec) == SPEC
    code = (
        "import sys; from pathlib import Path; from hmnet.runs.store import *;"
        "print(RunStore(Path(sys.argv[1])).find('cb-rte')[1].run_id)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == SPEC.run_id


def test_a_known_identity_has_not_moved() -> None:
    # Stored runs are found by this name. A change here orphans every cache: it needs a new
    # ENGINE_VERSION or a new schema, and a line in the changelog.
    assert SPEC.run_id == "cb-rte-s0-e2582767d7"


def test_what_old_runs_did_is_no_matter_of_todays_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A later version that makes `ffn` and a cap of 64 the defaults: runs that use them are other
    # ones than the old runs, which copied layers and had no cap.
    defaults = {field.name: field for field in dataclasses.fields(RunSpec)}
    monkeypatch.setattr(defaults["duplicate"], "default", "ffn")
    monkeypatch.setattr(
        run_spec, "TrainingSettings", lambda: TrainingSettings(sampling="capped", cap=64)
    )
    assert SPEC.run_id == "cb-rte-s0-e2582767d7"
    capped = change_training(SPEC, sampling="capped", cap=64)
    copied = dataclasses.replace(SPEC, duplicate="ffn")
    assert len({SPEC.run_id, capped.run_id, copied.run_id}) == 3


@pytest.mark.parametrize(
    ("names", "start"),
    [(("rte",), "rte-s3-"), (("cb", "rte"), "cb-rte-s3-"), (("cb", "mnli", "rte"), "3tasks-s3-")],
)
def test_an_id_is_readable_and_safe_as_a_file_name(names: tuple[str, ...], start: str) -> None:
    spec = RunSpec(
        tasks=tuple(PAPER_TASKS[name] for name in names),
        data=dict.fromkeys(names, "x"),
        model=SPEC.model,
        hierarchy=SPEC.hierarchy,
        groups=(names,),
        training=SPEC.training,
        seed=3,
    )
    assert re.fullmatch(re.escape(start) + "[0-9a-f]{10}", spec.run_id)


def test_long_and_odd_task_names_make_short_plain_ids() -> None:
    names = ("a" * 64, "b+" + "c" * 62)
    tasks = tuple(Task(name=name, text=("t",), labels=(0, 1)) for name in names)
    spec = dataclasses.replace(
        SPEC, tasks=tasks, data=dict.fromkeys(names, "x"), groups=(names,), seed=12
    )
    assert re.fullmatch("[A-Za-z0-9_-]{1,80}", spec.run_id)


@pytest.mark.parametrize(
    "changes",
    [
        {"tasks": (PAPER_TASKS["rte"], PAPER_TASKS["cb"])},
        {"tasks": (PAPER_TASKS["cb"], PAPER_TASKS["cb"], PAPER_TASKS["rte"])},
        {"data": {"cb": "c0"}},
        {"data": {"cb": "c0", "rte": "r0", "mnli": "m0"}},
        {"groups": (("cb",),)},
        {"groups": (("cb", "rte"), ("rte",))},
        {"groups": (("cb",), ("rte",), ("mnli",))},
    ],
)
def test_a_spec_that_contradicts_itself_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        dataclasses.replace(SPEC, **changes)


# The store


def test_a_run_is_done_when_its_result_is_there(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    assert not store.is_done(SPEC)
    with store.locked(SPEC):
        store.write_spec(SPEC)
        store.write_predictions(SPEC, "cb", PREDICTIONS)
        assert not store.is_done(SPEC)
        store.finish(SPEC, RESULT)
    assert store.is_done(SPEC)
    found = store.result(SPEC)
    assert dataclasses.replace(found, files={}, own="") == RESULT
    assert sorted(found.files) == ["predictions/cb.parquet", "spec.json"]
    pd.testing.assert_frame_equal(store.predictions(SPEC, "cb"), PREDICTIONS)


def test_a_run_that_owes_its_model_is_not_done_without_it(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write_spec(SPEC)
    store.finish(SPEC, RESULT)
    assert store.is_done(SPEC)
    assert not store.is_done(SPEC, with_model=True)


def test_a_failure_is_kept_until_a_result_takes_its_place(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    assert store.failure(SPEC) is None
    store.fail(SPEC, RunFailure("out of memory", "Traceback ...", {"task": "cb"}))
    assert store.failure(SPEC) == RunFailure("out of memory", "Traceback ...", {"task": "cb"})
    assert not store.is_done(SPEC)
    (store.path(SPEC) / "checkpoint").mkdir()
    store.finish(SPEC, RESULT)
    assert store.failure(SPEC) is None
    assert not (store.path(SPEC) / "checkpoint").exists()


def test_a_run_is_found_by_its_id_a_prefix_or_its_folder(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    other = dataclasses.replace(SPEC, seed=1)
    for spec in (SPEC, other):
        store.write_spec(spec)
    for name in (SPEC.run_id, SPEC.run_id[:-3], str(store.path(SPEC))):
        assert store.find(name) == (store.path(SPEC), SPEC)
    assert store.find("cb-rte-s1")[1] == other


@pytest.mark.parametrize("name", ["mnli", "cb-rte", "", "../x"])
def test_a_run_that_is_not_one_is_told_with_those_that_fit(tmp_path: Path, name: str) -> None:
    store = RunStore(tmp_path)
    for seed in (0, 1):
        store.write_spec(dataclasses.replace(SPEC, seed=seed))
    with pytest.raises(InputError, match="should name one run"):
        store.find(name)
    with pytest.raises(InputError, match="should name one run"):
        RunStore(tmp_path / "nowhere").find(name)


def test_results_of_another_schema_or_with_further_fields_are_refused(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.finish(SPEC, RESULT)
    path = store.path(SPEC) / "result.json"
    content = json.loads(path.read_text())
    for changes in ({"schema": "run-result/99"}, {"unheard_of": 1}, {"steps": "many"}):
        path.write_text(json.dumps({**content, **changes}))
        with pytest.raises(InputError, match=r"result\.json"):
            store.result(SPEC)


def edit_score(path: Path, value: float) -> None:
    """Set the score of a `result.json` by hand."""
    content = json.loads(path.read_text())
    content["scores"]["cb"]["validation"]["accuracy"] = value
    path.write_text(json.dumps(content))


def read_in_a_store(output: Output) -> None:
    output.runs.result(SPEC)


def evaluate(output: Output) -> None:
    read_run(output, SPEC.run_id)


def predict_from(output: Output) -> None:
    output.runs.predictions(SPEC, "cb")


@pytest.mark.parametrize("read", [read_in_a_store, evaluate, predict_from])
def test_an_edited_score_is_believed_by_no_reader(
    tmp_path: Path, read: Callable[[Output], None]
) -> None:
    output = open_output(tmp_path / "out")
    output.runs.write_spec(SPEC)
    output.runs.write_predictions(SPEC, "cb", PREDICTIONS)
    output.runs.finish(SPEC, RESULT)
    read(output)
    edit_score(output.runs.path(SPEC) / "result.json", 0.99)
    with pytest.raises(InputError, match=r"result\.json.*altered or cut short.*verify --redo"):
        read(output)


def test_results_have_one_reader(root: Path) -> None:
    packages = ("hmnet", "analysis", "relevance", "reports")
    files = [path for package in packages for path in (root / package).rglob("*.py")]
    named = [path for path in files if "RESULT_SCHEMA" in path.read_text(encoding="utf-8")]
    assert sorted(path.relative_to(root).as_posix() for path in named) == [
        "hmnet/runs/result.py",  # reads it
        "hmnet/runs/store.py",  # writes it
    ]


def test_a_result_is_read_once_for_all_its_predictions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path)
    for task in SPEC.names:
        store.write_predictions(SPEC, task, PREDICTIONS)
    store.finish(SPEC, RESULT)
    read: list[Path] = []
    monkeypatch.setattr(
        run_store, "read_result", lambda path: (read.append(path), read_result(path))[1]
    )
    for task in SPEC.names:
        store.predictions(SPEC, task)
    store.result(SPEC)
    assert read == [store.path(SPEC) / "result.json"]
    store.finish(SPEC, dataclasses.replace(RESULT, steps=25))  # another file, read anew
    assert store.result(SPEC).steps == 25
    assert len(read) == 2


def test_a_result_cannot_hold_what_is_not_a_number() -> None:
    with pytest.raises(ValidationError, match="finite"):
        dataclasses.replace(RESULT, final_loss={"cb": float("nan")})


def test_a_lock_is_held_by_one_process_and_dies_with_it(tmp_path: Path) -> None:
    from filelock import FileLock, Timeout

    store = RunStore(tmp_path)
    with store.locked(SPEC) as path, pytest.raises(Timeout):
        FileLock(path / ".lock", timeout=0).acquire()
    code = (
        "import os, sys; from filelock import FileLock;FileLock(sys.argv[1]).acquire(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path / ".lock")], check=False)
    with FileLock(path / ".lock", timeout=5):
        pass
