"""`hmnet compare`: every system with the same budget, paired intervals, and what it tells."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from asserts import assert_nothing_runs, assert_same_bytes
from made import make_data
from tiny_study import write_groups, write_study

from analysis.gains.paired import (
    AVERAGE,
    SeedScores,
    estimate_differences,
    estimate_scores,
    score_systems,
)
from analysis.scores.collapse import CollapsedRun
from analysis.scores.predictions import collect_predictions
from hmnet.cli import app
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import PreparedStudy, prepare_study
from hmnet.runs.spec import RunSpec
from hmnet.storage.documents import read_json
from hmnet.storage.tables import read_table
from hmnet.study.hierarchy import Groups
from hmnet.study.settings import ModelRef, TrainingSettings
from hmnet.study.study import Study, load_study
from hmnet.study.tasks import Task
from relevance.cli import app as relevance_app
from relevance.systems.budget import count_task_steps, describe_budget
from relevance.systems.collapsed_results import describe_collapsed_results, find_collapsed_results
from relevance.systems.compare import Judging, add_intervals
from relevance.systems.split_scores import tabulate_split_scores
from relevance.systems.systems import list_systems
from reports.inputs.report_inputs import read_inputs
from reports.inputs.score_table import arrange_scores

pytestmark = pytest.mark.usefixtures("in_this_process")

SYSTEMS = ["single-task", "multi-task", "skillnet", "hmnet-manual", "hmnet-mine"]


# Paired differences

TASK = Task(name="made", text=("t",), labels=(0, 1))


def make_frame(right: np.ndarray) -> pd.DataFrame:
    """Return dev predictions of which some are right."""
    label = np.arange(len(right)) % 2
    return pd.DataFrame(
        {
            "split": "validation",
            "row": np.arange(len(right)),
            "label": label,
            "prediction": np.where(right, label, 1 - label),
            "question": -1,
        }
    )


def make_runs(share: float, size: int, seeds: int, seed: int = 0) -> dict[int, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    return {s: make_frame(rng.random(size) < share) for s in range(seeds)}


def compare(
    single: dict[int, pd.DataFrame], others: dict[str, dict[int, pd.DataFrame]]
) -> dict[str, dict[str, SeedScores]]:
    return score_systems({"made": collect_predictions(TASK, single, others)}, "single-task", 400)


def test_a_difference_is_the_mean_over_shared_seeds() -> None:
    right = np.arange(8) < 4  # accuracy 4 / 8
    better = {0: make_frame(np.arange(8) < 6), 1: make_frame(np.arange(8) < 5)}
    scored = compare(
        {0: make_frame(right), 1: make_frame(right), 2: make_frame(~right)}, {"b": better}
    )
    found = estimate_differences(scored, "single-task")["made", "b"]
    # Seeds 0 and 1: (6 - 4) / 8 and (5 - 4) / 8.
    assert found.value == pytest.approx((2 / 8 + 1 / 8) / 2)
    assert found.seeds == 2
    assert found.low <= found.value <= found.high
    assert estimate_scores(scored)["made", "single-task"].value == pytest.approx(0.5)


def test_a_system_differs_from_its_equal_by_exactly_nothing() -> None:
    runs = make_runs(0.7, 60, 3)
    found = estimate_differences(compare(runs, {"same": runs}), "single-task")["made", "same"]
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_pairing_examples_narrows_the_interval() -> None:
    rng = np.random.default_rng(0)
    base = rng.random((1, 400)) < 0.7
    single = {0: make_frame(base[0])}
    flipped = base[0] ^ (rng.random(400) < 0.05)  # errs on nearly the same examples
    scored = compare(single, {"near": {0: make_frame(flipped)}, "far": make_runs(0.7, 400, 1, 9)})
    found = estimate_differences(scored, "single-task")
    near, far = (found["made", name] for name in ("near", "far"))
    assert near.high - near.low < 0.6 * (far.high - far.low)


def test_noise_of_seeds_widens_the_interval() -> None:
    size = 200
    single = {s: make_frame(np.arange(size) < 140) for s in range(3)}
    steady = {s: make_frame(np.arange(size) < 150) for s in range(3)}
    shaky = {s: make_frame(np.arange(size) < 150 + shift) for s, shift in enumerate((-40, 0, 40))}
    found = [
        estimate_differences(compare(single, {"other": runs}), "single-task")["made", "other"]
        for runs in (steady, shaky)
    ]
    assert found[0].value == found[1].value == pytest.approx(10 / size)
    assert found[0].low > 0
    assert found[1].low < 0 < found[1].high


def test_a_clear_loss_is_flagged_as_negative_transfer() -> None:
    single, bad = make_runs(0.9, 300, 3), make_runs(0.5, 300, 3, 1)
    predictions = {"made": collect_predictions(TASK, single, {"multi-task": bad})}
    rows = [(name, task, s, 0.5, 1.0, 2.0) for name in ("single-task", "multi-task")
            for task in ("made", AVERAGE) for s in (0, 1, 2)]  # fmt: skip
    columns = ["system", "task", "seed", "score", "params_activated", "params_overall"]
    table = add_intervals(pd.DataFrame(rows, columns=columns), predictions, Judging(200))
    means = table[table["seed"].isna()].set_index(["system", "task"])
    assert len(means) == 4
    assert means.loc[("multi-task", "made"), "negative_transfer"]
    assert not means.loc[("single-task", "made"), "negative_transfer"]
    assert means.loc[("multi-task", AVERAGE), "vs_single_high"] < 0


def test_the_average_is_left_out_where_a_task_lacks_its_single_run() -> None:
    runs = make_runs(0.9, 50, 1)
    predictions = {"made": collect_predictions(TASK, runs, {"multi-task": runs})}
    rows = [("multi-task", task, 0, 0.5, 1.0, 2.0) for task in ("made", "other", AVERAGE)]
    columns = ["system", "task", "seed", "score", "params_activated", "params_overall"]
    table = add_intervals(pd.DataFrame(rows, columns=columns), predictions, Judging(50))
    assert table.loc[table["seed"].isna(), "task"].tolist() == ["made"]


# The budget


def prepare_made(sizes: dict[str, int], settings: TrainingSettings) -> PreparedStudy:
    """Return a made study without files, whose tasks have so many training rows."""
    data = {name: make_data(name, size=size) for name, size in sizes.items()}
    tasks = {name: found.task for name, found in data.items()}
    study = Study(tasks=tasks, model="made", training=settings)
    folders = {name: Path(name) for name in sizes}
    return PreparedStudy(study, ModelRef("made", None, "0"), 3, data, folders)


def test_every_system_has_the_same_budget_unless_temperature_shares_out_batches() -> None:
    sizes = {"small": 8, "large": 72}
    settings = TrainingSettings(epochs=2, batch_size=8)
    fair = prepare_made(sizes, settings)
    text = describe_budget(fair, list_systems(fair, {}))
    assert text.startswith("equal budget: every system is trained for 2 epochs over the same 80")
    assert "20 steps" in text
    # 1 and 9 batches: roots 1 and 3 share 10 as 2.5 and 7.5, that is 2 and 8.
    settings = dataclasses.replace(settings, sampling="temperature", temperature=2.0)
    shared = prepare_made(sizes, settings)
    steps = [count_task_steps(shared, system) for system in list_systems(shared, {})]
    assert steps == [{"small": 2, "large": 18}, {"small": 4, "large": 16}]
    text = describe_budget(shared, list_systems(shared, {}))
    assert text.startswith("unequal budget")
    assert "single-task: 20 (small 2, large 18)" in text
    assert "multi-task: 20 (small 4, large 16)" in text


# Rows as the paper counts them, and results that mean little


class MadeStore:
    """Stands for a store in which every run is done with the same scores."""

    def __init__(self, scores: dict[str, dict[str, dict[str, float]]]) -> None:
        self.scores = scores

    def is_done(self, spec: RunSpec) -> bool:
        return True

    def result(self, spec: RunSpec) -> SimpleNamespace:
        return SimpleNamespace(scores={name: self.scores[name] for name in spec.names})


def test_the_average_of_rows_counts_each_dev_split_and_that_of_tasks_each_task() -> None:
    prepared = prepare_made({"one": 8, "two": 8}, TrainingSettings())
    systems = list_systems(prepared, {})
    one = {"validation": {"accuracy": 0.9}}
    two = {"matched": {"accuracy": 0.5}, "mismatched": {"accuracy": 0.4}}
    store: Any = MadeStore({"one": one, "two": two})
    assert tabulate_split_scores(prepared, systems, store).empty  # no task is said to have two
    splits = {name: name for name in ("train", *two)}
    task = dataclasses.replace(prepared.study.tasks["two"], splits=splits)
    study = dataclasses.replace(prepared.study, tasks={**prepared.study.tasks, "two": task})
    prepared = dataclasses.replace(prepared, study=study)
    table = tabulate_split_scores(prepared, systems, store)
    assert table["multi-task"].to_dict() == pytest.approx(
        {
            "two matched": 0.5,
            "two mismatched": 0.4,
            "average": (0.9 + 0.45) / 2,
            "average of rows": (0.9 + 0.5 + 0.4) / 3,
        }
    )
    assert table["single-task"].tolist() == table["multi-task"].tolist()


def test_it_is_said_how_many_results_of_each_system_collapsed() -> None:
    prepared = prepare_made({"one": 8, "two": 8}, TrainingSettings())
    runs = [CollapsedRun(task, partner, 0, ()) for task, partner in
            (("one", ""), ("one", "multi-task"), ("two", "multi-task"))]  # fmt: skip
    text = describe_collapsed_results(runs, prepared, list_systems(prepared, {}))
    assert "of 2 per system: single-task 1, multi-task 2. They are in the means" in text


# The command


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def words(study: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("compare")
    groups = write_groups(folder / "mine.json", {"a": ["tone", "match"], "b": ["grade"]})
    own = write_groups(folder / "manual.json", {"a": ["tone"], "b": ["match", "grade"]})
    return [
        "compare", "--study", str(study), "--out", str(folder / "out"), "--seeds", "2",
        "--groups", f"manual={own}", "--groups", f"mine={groups}", "--draws", "50",
        "--set", "training.epochs=3", "--hierarchy", "1,1,1",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def output(words: list[str]) -> Output:
    app(words, standalone_mode=False)
    return Output(Path(words[words.index("--out") + 1]))


def test_the_table_holds_every_system_task_and_seed_and_their_means(output: Output) -> None:
    table, provenance = read_table(output.compare, "comparison/1")
    # 5 systems, 3 tasks and the average, 2 seeds and the mean
    assert len(table) == 5 * 4 * 3
    assert list(dict.fromkeys(table["system"])) == SYSTEMS
    means = table[table["seed"].isna()].set_index(["system", "task"])
    seeded = table[table["seed"].notna()].groupby(["system", "task"])["score"].mean()
    for key, row in means.iterrows():
        # correlations of the same predictions by two formulas, one of them in single precision
        assert row["score"] == pytest.approx(seeded[key], abs=1e-4)
        assert row["ci_low"] <= row["score"] <= row["ci_high"]
    difference = seeded["skillnet", "tone"] - seeded["multi-task", "tone"]
    assert means.loc[("skillnet", "tone"), "vs_multi"] == pytest.approx(difference, abs=1e-6)
    assert means.loc["single-task", "vs_single"].isna().all()
    assert [system["name"] for system in provenance["systems"]] == SYSTEMS


def test_every_system_sees_the_same_tokens(output: Output) -> None:
    runs = [read_json(path) for path in output.folder.glob("runs/*/result.json")]
    tokens = {
        sum(run["train_tokens"] for run in runs if len(run["primary"]) == 1) // 2,
        *(run["train_tokens"] for run in runs if len(run["primary"]) == 3),
    }
    assert len(tokens) == 1
    # 3 single runs and 4 systems with one run, for each of 2 seeds
    assert len(runs) == 2 * (3 + 4)


def test_parameters_are_those_of_the_systems(output: Output) -> None:
    table, _ = read_table(output.compare, "comparison/1")
    counts = table.groupby("system")[["params_activated", "params_overall"]].max()
    overall, activated = counts["params_overall"], counts["params_activated"]
    assert activated["multi-task"] == activated["single-task"] == activated["hmnet-mine"]
    assert activated["skillnet"] > activated["multi-task"]
    assert overall["multi-task"] < overall["hmnet-mine"] == overall["hmnet-manual"]


def test_the_report_takes_the_table(output: Output) -> None:
    found = read_inputs(output.folder)
    assert found.comparison is not None
    table = arrange_scores(found.comparison)
    assert list(table.systems) == SYSTEMS
    score = table.score("multi-task", "tone")
    assert score is not None
    assert score.low <= score.value <= score.high
    assert score.seeds == 2
    assert {record.kind for record in found.runs.done} == {
        "single-task", "multi-task", "hierarchical", "skillnet",
    }  # fmt: skip


def test_a_second_call_trains_nothing_and_writes_the_same_bytes(
    output: Output, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with assert_same_bytes([output.compare]), assert_nothing_runs(output.runs.folder):
        app(words, standalone_mode=False)
    printed = capsys.readouterr().out
    assert "equal budget: every system is trained for 3 epochs over the same 144 rows" in printed
    assert "difference to multi-task, points [95 % interval]" in printed
    assert "dev splits by themselves" not in printed  # every task has one
    assert_counts_are_explained(printed)


def assert_counts_are_explained(printed: str) -> None:
    """Both ways of copying are counted, beside the paper's figures and what they fit."""
    for name in ("hmnet-manual", "hmnet-mine"):
        lines = [line.split() for line in printed.splitlines()]
        counted = {words[3]: words[6] for words in lines if words[:3] == [name, "1", "2"]}
        whole, blocks = (int(counted[w].replace(",", "")) for w in ("whole", "feed-forward"))
        assert blocks < whole
    assert "231M and 240M fit copies of the feed-forward blocks alone" in printed
    assert "about 307M with 3 groups" in printed
    assert "single-task total is that of 3 models; the paper prints the 110M of one" in printed


def test_collapsed_results_are_those_with_one_answer_or_the_loss_of_guessing(
    output: Output,
) -> None:
    prepared = prepare_study(load_study(output.study_file), output.data)
    # Nothing of `match` can be learned: its labels are random.
    found = find_collapsed_results(prepared, list_systems(prepared, {}), output.runs)
    assert {("match", ""), ("match", "multi-task")} <= {(r.task, r.partner) for r in found}
    for run in found:
        assert set(run.reasons) <= {"one class predicted", "constant predictions", "loss at chance"}


def test_a_dry_run_prints_exact_counts_and_runs_nothing(
    output: Output, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    app([*words, "--dry-run"], standalone_mode=False)
    printed = capsys.readouterr().out
    table, _ = read_table(output.compare, "comparison/1")
    counts = table.groupby("system")["params_overall"].max().astype(int)
    assert all(f"{count:,}" in printed for count in counts)
    assert "14 already done, 0 to do" in printed


def test_layers_and_feed_forward_blocks_are_duplicated_side_by_side(
    output: Output, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(output.folder, out)  # the other systems' runs are done
    changed = [str(out) if word == str(output.folder) else word for word in words]
    more = ("--duplicate", "layer,ffn", "--seeds", "1", "--no-skillnet")
    app([*changed, *more], standalone_mode=False)
    table, provenance = read_table(Output(out).compare, "comparison/1")
    hmnet = ["hmnet-manual", "hmnet-mine", "hmnet-manual-ffn", "hmnet-mine-ffn"]
    assert list(dict.fromkeys(table["system"])) == ["single-task", "multi-task", *hmnet]
    duplicates = {system["name"]: system["duplicate"] for system in provenance["systems"]}
    assert [duplicates[name] for name in hmnet] == ["layer", "layer", "ffn", "ffn"]
    overall = table.groupby("system")["params_overall"].max()
    printed = capsys.readouterr().out
    for name in ("hmnet-manual", "hmnet-mine"):
        assert overall[f"{name}-ffn"] < overall[name]
        assert f"{overall[f'{name}-ffn']:,.0f}" in printed
    assert_counts_are_explained(printed)


def test_groupings_at_hand_are_taken_where_none_is_given(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    rest = ["--study", str(study), "--out", str(out)]
    relevance_app(["vocab", *rest], standalone_mode=False)
    groups = {"1": ("tone", "grade"), "2": ("match",)}
    Groups(groups, {"measure": "pairwise"}).write(out / "groups.json")
    app(["compare", *rest, "--dry-run", "--no-skillnet"], standalone_mode=False)
    printed = capsys.readouterr()
    named = [line.split()[0] for line in printed.out.splitlines() if "hmnet-" in line]
    assert list(dict.fromkeys(named)) == ["hmnet-manual", "hmnet-pairwise"]
    assert "skillnet" not in printed.out
    # The made tasks have the same words, so that their vocabularies cannot be told apart.
    assert "no groups from vocab.parquet" in printed.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--groups", "groups.json"], r"`groups` should be NAME=FILE.*Found `groups\.json`"),
        (["--groups", "mine=nowhere.json"], r"nowhere\.json: the file does not exist"),
        (["--hierarchy", "8,2,2"], r"sum to the encoder's depth, 3\. Found `8,2,2`"),
        (["--duplicate", "layers"], r"`duplicate` should be layer, ffn or both\. Found `layers`"),
        (["--gpus", "7"], "`gpus` should name GPUs of this machine"),
    ],
)
def test_bad_input_gets_a_sentence(
    study: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    rest = ["--study", str(study), "--out", str(tmp_path / "out")]
    with pytest.raises(InputError, match=message):
        app(["compare", *words, *rest], standalone_mode=False)


def test_a_skillnet_cannot_be_exported_as_an_ordinary_model(output: Output, tmp_path: Path) -> None:
    specs = {path.parent.name: json.loads(path.read_text()) for path in
             output.folder.glob("runs/*/spec.json")}  # fmt: skip
    run = next(name for name, spec in specs.items() if spec["system"] == "skillnet")
    words = ["export", run, "--task", "tone", "--to", str(tmp_path / "x")]
    with pytest.raises(InputError, match=r"paths are ordinary models.*a SkillNet-style model"):
        app([*words, "--out", str(output.folder)], standalone_mode=False)
