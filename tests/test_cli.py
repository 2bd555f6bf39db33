"""The two commands as a person uses them, on a tiny study."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import warm
from tiny_study import runs_in_this_process, write_groups, write_study
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from hmnet.cli import app as hmnet_app
from hmnet.errors import RelevanceError
from hmnet.folder.outputs import Output
from hmnet.models.saved import load_model
from hmnet.storage.documents import read_json
from hmnet.study.hierarchy import Groups
from relevance.cli import app as relevance_app
from relevance.matrices.matrix import RelevanceMatrix

TASKS = ["tone", "match", "grade"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


def call(capsys: pytest.CaptureFixture[str], app: object, *words: object) -> str:
    """Run a command in this process; return what it printed."""
    app([str(word) for word in words], standalone_mode=False)  # type: ignore[operator]
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def swept(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Output:
    """An output folder with a finished sweep and a trained HMNet."""
    folder = tmp_path_factory.mktemp("swept") / "out"
    app = relevance_app
    with runs_in_this_process():
        app(["pairwise", "--study", str(study), "--out", str(folder)], standalone_mode=False)
    app(["cluster", "--k", "2", "--out", str(folder)], standalone_mode=False)
    hmnet_app(["train", "--hierarchy", "1,1,1", "--out", str(folder)], standalone_mode=False)
    return Output(folder)


def test_vocab_writes_a_matrix_and_records_the_study(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = call(capsys, relevance_app, "vocab", "--study", study, "--out", tmp_path / "out")
    matrix = RelevanceMatrix.read(tmp_path / "out" / "vocab.parquet")
    assert matrix.tasks == tuple(TASKS)
    assert "vocab.parquet" in printed
    again = call(capsys, relevance_app, "vocab", "--out", tmp_path / "out")  # needs no flags now
    assert again == printed


def test_a_sweep_measures_every_ordered_pair(swept: Output) -> None:
    matrix = RelevanceMatrix.read(swept.pairwise)
    values = matrix.to_frame().to_numpy()
    assert matrix.tasks == tuple(TASKS)
    assert (np.diag(values) == 0).all()
    scores = pd.read_parquet(swept.scores)
    # 3 single scores and 2 for each of 3 pairs
    assert len(scores) == 3 + 2 * 3
    single = scores.query("task == 'match' and partner == ''")["score"].item()
    joint = scores.query("task == 'match' and partner == 'tone'")["score"].item()
    cell = matrix.to_frame().loc["tone", "match"]
    assert cell == pytest.approx((joint - single) / single)


def test_a_second_sweep_runs_nothing_and_writes_the_same_bytes(
    swept: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    before = swept.pairwise.read_bytes()
    printed = call(capsys, relevance_app, "pairwise", "--dry-run", "--out", swept.folder)
    assert "6 already done, 0 to do" in printed
    call(capsys, relevance_app, "pairwise", "--out", swept.folder)
    assert swept.pairwise.read_bytes() == before


def test_groups_file_holds_every_task_and_says_how_it_came_to_be(swept: Output) -> None:
    groups = Groups.read(swept.groups)
    assert sorted(groups.tasks) == sorted(TASKS)
    assert groups.origin["method"] == "kmeans"
    assert groups.origin["k"] == 2


def test_the_manual_design_groups_by_category(
    swept: Output, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(swept.folder, tmp_path / "out", ignore=shutil.ignore_patterns("runs", "data"))
    out = tmp_path / "out"
    call(capsys, relevance_app, "cluster", "--matrix", "manual", "--k", "2", "--out", out)
    assert Groups.read(out / "groups.json").partition == (("grade", "match"), ("tone",))


def find_hmnet_run(output: Output) -> str:
    return next(p.name for p in output.runs.folder.iterdir() if p.name.startswith("3tasks"))


def test_hmnet_scores_are_printed_with_exact_parameter_counts(
    swept: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    run = find_hmnet_run(swept)
    printed = call(capsys, hmnet_app, "eval", run, "--out", swept.folder)
    model = load_model(swept.runs.folder / run / "model", swept.runs.find(run)[1])
    overall = sum(p.numel() for p in model.parameters())
    assert f"{overall:,} overall" in printed
    assert all(task in printed for task in TASKS)


def test_an_exported_path_is_an_ordinary_model_with_the_same_outputs(
    swept: Output, tmp_path: Path, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = find_hmnet_run(swept)
    folder = tmp_path / "exported"
    words = ("--task", "match", "--to", folder, "--out", swept.folder)
    call(capsys, hmnet_app, "export", run, *words)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = pd.read_parquet(study.parent / "data" / "match" / "validation.parquet")
    inputs = tokenizer(
        rows["left"].tolist(),
        rows["right"].tolist(),
        padding=True,
        truncation=True,
        max_length=32,
        return_tensors="pt",
    )
    with torch.no_grad():
        found = model(**inputs).logits.numpy()
    stored = swept.runs.predictions(swept.runs.find(run)[1], "match")
    np.testing.assert_allclose(found, np.stack(stored["logits"].tolist()), atol=1e-5)
    assert model.config.id2label == {0: "0", 1: "1"}
    assert (folder / "README.md").read_text().count("match") >= 1


def test_predictions_of_a_file_are_those_of_the_run(
    swept: Output, tmp_path: Path, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = find_hmnet_run(swept)
    rows = pd.read_parquet(study.parent / "data" / "tone" / "validation.parquet")
    source = tmp_path / "rows.jsonl"
    rows[["text"]].to_json(source, orient="records", lines=True)
    printed = call(
        capsys,
        hmnet_app,
        "predict",
        run,
        "--task",
        "tone",
        "--input",
        source,
        "--out",
        swept.folder,
    )
    lines = [json.loads(line) for line in printed.splitlines()]
    stored = swept.runs.predictions(swept.runs.find(run)[1], "tone")
    assert [line["label"] for line in lines] == [("low", "high")[i] for i in stored["prediction"]]
    assert all(sum(line["probabilities"].values()) == pytest.approx(1) for line in lines)


@pytest.mark.system
def test_all_tasks_of_a_file_are_predicted_at_once(
    swept: Output, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = find_hmnet_run(swept)
    source = tmp_path / "rows.csv"
    pd.DataFrame({"left": ["bala kone", "miro"], "right": ["tusi", "bavu"]}).to_csv(source)
    command = ["predict", run, "--input", source, "--out", swept.folder]
    done = warm.run("hmnet", *command, "--task", "all")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(line) for line in lines] == [["row", "grade", "match"]] * 2
    groups = swept.runs.find(run)[1].groups
    run_layers = 1 + len([group for group in groups if {"grade", "match"} & set(group)]) + 2
    assert f"{run_layers} layers run where separate models run 6" in done.stderr  # {1,1,1}
    assert "left out, as the file lacks their columns: tone" in done.stderr
    alone = call(capsys, hmnet_app, *command, "--task", "grade").splitlines()
    expected = [{"row": line["row"], **line["grade"]} for line in lines]
    assert [json.loads(line) for line in alone] == expected
    with pytest.raises(RelevanceError, match="column") as refused:
        call(capsys, hmnet_app, *command, "--task", "tone")
    assert refused.value.exit_code != 0


BAD_CALLS = {
    "unknown task": (
        ["relevance", "vocab", "--tasks", "tone,mach"],
        r"Parameter `tasks` should name known tasks\. Found `mach`\. Did you mean `match`",
    ),
    "no such GPU": (["relevance", "pairwise", "--gpus", "3"], r"Parameter `gpus` should name GPUs"),
    "hierarchy": (
        ["hmnet", "train", "--hierarchy", "8,2,2", "--groups", "{groups}"],
        r"Parameter `hierarchy` should sum to the encoder's depth, 3\. Found `8,2,2`",
    ),
    "hierarchy text": (
        ["hmnet", "train", "--hierarchy", "eight", "--groups", "{groups}"],
        r"should be three layer counts.*Found `eight`",
    ),
    "missing task in groups": (
        ["hmnet", "train", "--groups", "{partial}"],
        r"the groups should hold task `grade`\. It is missing",
    ),
    "unknown task in groups": (
        ["hmnet", "train", "--groups", "{unknown}"],
        r"the groups should hold only tasks of the study\. Found `ton`\. Did you mean `tone`",
    ),
    "task named twice in groups": (
        ["hmnet", "train", "--groups", "{twice}"],
        r"Parameter `groups` should name each task once\. Found `tone` 2 times",
    ),
    "no groups": (["hmnet", "train"], r"groups\.json: the file does not exist"),
    "no model": (
        ["relevance", "vocab", "--model", "./nowhere"],
        r"Parameter `model` should be a folder",
    ),
    "no matrix": (["relevance", "cluster"], r"Run `relevance pairwise` first"),
    "unknown reference": (
        ["relevance", "cluster", "--matrix", "paper:table9"],
        r"paper:table9",
    ),
    "k too large": (
        ["relevance", "cluster", "--matrix", "paper:table2", "--k", "14"],
        r"Parameter `k` should be .*Found `14`",
    ),
    "unknown run": (["hmnet", "eval", "rte-s0"], r"Parameter `run` should name one run"),
    "unknown setting": (
        ["relevance", "vocab", "--set", "training.epoch=1"],
        r"training\.epoch.*unknown.*epochs",
    ),
    "no seeds": (["relevance", "pairwise", "--seeds", "0"], r"`seeds` should be at least 1"),
    "no workers": (["relevance", "pairwise", "--workers", "0"], r"`workers` should be at least 1"),
    "no jobs on a GPU": (
        ["relevance", "pairwise", "--jobs-per-gpu", "0"],
        r"`jobs_per_gpu` should be at least 1\. Found `0`",
    ),
    "too long rows": (
        ["relevance", "pairwise", "--set", "rows.max_length=100000"],
        r"`max_length` should be at most \d+, the most positions.*Found `100000`",
    ),
    "bad seeds": (
        ["relevance", "pairwise", "--seeds", "a"],
        r"Parameter `seeds` should be whole numbers",
    ),
}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["relevance", "attention", "--pair", "qqp"], r"`pair` should be two different tasks"),
        (["relevance", "attention", "--pair", "qqp,rta"], r"Found `rta`\. Did you mean `rte`"),
        (["hmnet", "sweep", "--tasks", "mnli"], r"`shared` and `hierarchies` should be given"),
    ],
)
def test_wrong_options_are_told_before_anything_is_fetched(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*args: object) -> None:
        pytest.fail("the rows were asked for")

    # what `prepare_study` looks for first: whoever imports it has the whole of it
    monkeypatch.setattr("hmnet.jobs.prepared.identify", fetch)
    app = {"relevance": relevance_app, "hmnet": hmnet_app}[words[0]]
    with pytest.raises(RelevanceError, match=said):
        app([*words[1:], "--out", str(tmp_path / "out")], standalone_mode=False)


@pytest.mark.parametrize("case", BAD_CALLS, ids=lambda case: case.replace(" ", "-"))
def test_bad_input_gets_a_sentence_and_a_non_zero_exit(
    case: str, study: Path, tmp_path: Path
) -> None:
    shutil.copytree(study.parent, tmp_path / "study")
    groups = {
        "groups": {"a": ["tone"], "b": ["match", "grade"]},
        "partial": {"a": ["tone"], "b": ["match"]},
        "unknown": {"a": ["ton"], "b": ["match", "grade", "tone"]},
        "twice": {"a": ["tone"], "b": ["match", "grade", "tone"]},
    }
    files = {k: write_groups(tmp_path / f"{k}.json", v) for k, v in groups.items()}
    words, message = BAD_CALLS[case]
    app = {"relevance": relevance_app, "hmnet": hmnet_app}[words[0]]
    rest = [word.format(**files) for word in words[1:]]
    out = ["--out", str(tmp_path / "out")]
    setting = ["--study", str(tmp_path / "study" / "study.toml")] if words[1] != "eval" else []
    if words[1] == "eval":
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "output.json").write_text('{"schema": "output/1", "package": "0.1.0"}')
    with pytest.raises(RelevanceError, match=message) as caught:
        app([*rest, *setting, *out], standalone_mode=False)
    assert caught.value.exit_code != 0


def test_what_a_finished_run_cannot_give_gets_a_sentence(swept: Output, tmp_path: Path) -> None:
    runs = swept.folder / "runs"
    trained, single = (next(runs.glob(f"{name}-s0*")).name for name in ("3tasks", "tone"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for run, task, folder, message in (
        (trained, "ton", "new", r"`task` should be a task of run .*Did you mean `tone`"),
        (trained, "tone", "full", r"`to` should be a new or empty folder"),
        (single, "tone", "new", r"`run` should name a run that kept its model.*--keep-models"),
    ):
        words = ["export", run, "--task", task, "--to", tmp_path / folder, "--out", swept.folder]
        with pytest.raises(RelevanceError, match=message):
            hmnet_app([str(word) for word in words], standalone_mode=False)


def test_no_command_believes_an_edited_score(swept: Output, tmp_path: Path) -> None:
    shutil.copytree(swept.folder, tmp_path / "out")
    run = tmp_path / "out" / "runs" / find_hmnet_run(swept)
    content = read_json(run / "result.json")
    content["primary"]["tone"] = 0.99
    (run / "result.json").write_text(json.dumps(content))
    card = ["--task", "tone", "--to", tmp_path / "exported", "--out", tmp_path / "out"]
    for words in (["eval", run.name, "--out", tmp_path / "out"], ["export", run.name, *card]):
        with pytest.raises(RelevanceError, match=r"result\.json.*altered or cut short"):
            hmnet_app([str(word) for word in words], standalone_mode=False)
    assert not (tmp_path / "exported").exists()


def test_verify_ends_with_every_damaged_file(swept: Output, tmp_path: Path) -> None:
    shutil.copytree(swept.folder, tmp_path / "out")
    damaged = next((tmp_path / "out" / "runs").glob("tone-s0*/result.json"))
    damaged.write_text(damaged.read_text()[:-20])
    with pytest.raises(RelevanceError, match=r"result\.json"):
        relevance_app(["verify", "--out", str(tmp_path / "out")], standalone_mode=False)


def test_an_error_prints_without_a_traceback(tmp_path: Path) -> None:
    done = warm.run("relevance", "vocab", "--tasks", "rtee", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Did you mean `rte`" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_folder_without_weights_is_refused(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study.parent / "encoder", tmp_path / "bare")
    (tmp_path / "bare" / "model.safetensors").unlink()
    words = [
        "pairwise",
        "--study",
        str(study),
        "--model",
        str(tmp_path / "bare"),
        "--out",
        str(tmp_path / "out"),
    ]
    with pytest.raises(RelevanceError, match=r"lacks model\.safetensors"):
        relevance_app(words, standalone_mode=False)


def test_a_failed_run_is_listed_and_the_others_are_kept(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["pairwise", "--study", study, "--out", out]
    first = warm.run(
        "relevance",
        *words,
        "--set",
        "training.learning_rate=1e30",
        "--set",
        "training.clip_norm=1e30",
    )
    assert first.returncode == 1
    assert "runs failed" in first.stderr
    assert "training loss of" in first.stderr
    failed = list(out.glob("runs/*/failure.json"))
    assert failed
    assert not [p for p in failed if (p.parent / "result.json").exists()]
    assert "became" in read_json(failed[0])["error"]


@pytest.mark.system
def test_a_task_whose_loss_is_infinite_leaves_its_own_cells_empty_and_no_other(
    study: Path, swept: Output, tmp_path: Path
) -> None:
    shutil.copytree(study.parent, tmp_path / "study")
    for path in (tmp_path / "study" / "data" / "grade").iterdir():
        rows = pd.read_parquet(path)  # the labels' squares are no float32
        rows.assign(label=np.resize([1e30, -1e30], len(rows))).to_parquet(path)
    out = Output(tmp_path / "out")
    raw = ["--set", "training.targets=raw", "--out", str(out.folder)]
    words = ["pairwise", "--study", str(tmp_path / "study" / "study.toml"), *raw]
    with pytest.raises(RelevanceError) as caught:
        relevance_app(words, standalone_mode=False)
    first, *listed = caught.value.problems
    assert first == (
        "3 runs failed (more is in the `failure.json` of each one's folder); the others are kept, "
        "and the same command tries the failed ones again:"
    )
    assert [line.partition("-s0")[0] for line in listed] == ["grade-match", "grade", "grade-tone"]
    said = r"The training loss of `grade` became (inf|nan) at step [0-9]+ of [0-9]+\."
    assert all(re.search(said, line) for line in listed), listed
    expected = RelevanceMatrix.read(swept.pairwise).to_frame()
    expected.loc["grade", ["tone", "match"]] = np.nan
    expected.loc[["tone", "match"], "grade"] = np.nan
    pd.testing.assert_frame_equal(
        RelevanceMatrix.read(out.pairwise).to_frame(), expected, check_exact=True
    )


@pytest.mark.system
def test_a_killed_sweep_goes_on_and_gives_the_same_matrix(
    study: Path, swept: Output, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["pairwise", "--study", str(study), "--out", str(out)]
    process = warm.Command("relevance", *words, is_leader=True)
    deadline = time.monotonic() + 120
    while not list(out.glob("runs/*/result.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/result.json")}
    assert len(done) >= 1
    with runs_in_this_process():
        planned = call(capsys, relevance_app, *words, "--dry-run")
        relevance_app(words, standalone_mode=False)
    assert f"{len(done)} already done, {6 - len(done)} to do" in planned
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert (out / "pairwise.parquet").read_bytes() == swept.pairwise.read_bytes()


@pytest.mark.parametrize("words", ["relevance pairwise", "hmnet train", "hmnet compare"])
def test_a_wrong_option_is_told_before_the_seconds_that_libraries_take(
    words: str, tmp_path: Path
) -> None:
    command, name = words.split()
    code = (
        f"import sys; from {command}.cli import main\n"
        "try:\n    main()\nfinally:\n    print('torch' in sys.modules)"
    )
    arguments = [name, "--gpus", "first", "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], text=True, capture_output=True)
    assert (done.returncode, done.stdout) == (2, "False\n")
    assert "`gpus` should be whole numbers separated by commas. Found `first`" in done.stderr
