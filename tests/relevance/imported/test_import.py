"""Results of any trainer get what this package's own sweeps get, as far as they show it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_predictions import draw_arm, make_sweep, make_target
from typer.testing import CliRunner

from analysis.gains.bootstrap import bootstrap_gains
from analysis.gains.score_draws import ArmScores
from analysis.scores.predictions import Predictions
from analysis.scores.resampling import score_runs
from hmnet.errors import InputError
from hmnet.folder.freshness import find_stale
from hmnet.folder.outputs import Output
from hmnet.study.hierarchy import Groups
from relevance.cli import app
from relevance.imported.imported_results import ImportOptions, check_folder, load_results
from relevance.imported.missing import describe_missing, describe_plan
from relevance.imported.score_measurement import bootstrap_scores
from relevance.matrices.draws import read_draws
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.reference import load_reference
from reports.inputs.report_inputs import read_inputs

SINGLES = {
    "mnli": 84.8, "qnli": 91.6, "rte": 66.1, "wnli": 56.3, "cb": 60.0, "snli": 89.0, "imdb": 92.0,
    "sst2": 92.5, "qqp": 90.0, "stsb": 88.0, "mrpc": 86.0, "boolq": 72.0, "multirc": 40.0,
}  # fmt: skip
GAINS = [[0, 0.05, 0.0], [-0.04, 0, 0.03], [0.0, 0.06, 0]]


def write_rows(path: Path, *rows: str, header: str = "target,partner,seed,score") -> Path:
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def tabulate(predictions: Mapping[str, Predictions]) -> pd.DataFrame:
    """Return a row per run and dev example."""
    parts = []
    for task, found in predictions.items():
        for partner, arm in found.arms.items():
            for seed, values in zip(arm.seeds, arm.values, strict=True):
                rows = {"row": range(len(values)), "label": found.labels, "prediction": values}
                keys = {"target": task, "partner": partner, "seed": seed}
                parts.append(pd.DataFrame({**keys, **rows}))
    return pd.concat(parts)


def list_scores(predictions: Mapping[str, Predictions], n_dev: int | None) -> list[ArmScores]:
    return [
        ArmScores(
            task,
            found.metric,
            n_dev,
            {
                partner: dict(zip(arm.seeds, score_runs(found, arm.values).tolist(), strict=True))
                for partner, arm in found.arms.items()
            },
        )
        for task, found in predictions.items()
    ]


def call(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


# Scores


@pytest.fixture(scope="module")
def table_three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The paper's Table 3, typed in as scores in percent."""
    gains = load_reference("paper:table3").to_frame()
    rows = [f"{target},,0,{single}" for target, single in SINGLES.items()]
    rows += [
        f"{target},{source},0,{single * (1 + gains.loc[source, target]):.6f}"
        for target, single in SINGLES.items()
        for source in gains.index
        if source != target
    ]
    return write_rows(tmp_path_factory.mktemp("table") / "table3.csv", *rows)


def test_a_published_table_goes_through_all_commands(table_three: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = call("import", table_three, "--out", out)
    assert "read as percent: all" in said
    assert "missing: a second seed, or metric and n_dev, of all targets" in said
    matrix, paper = RelevanceMatrix.read(Output(out).pairwise), load_reference("paper:table3")
    ours = matrix.select(paper.tasks).to_frame().to_numpy()
    assert np.allclose(ours, paper.to_frame().to_numpy(), atol=1e-7)
    assert not (out / "pairwise-draws.parquet").exists()
    assert (out / "pairwise-decomposition.json").exists()
    said = call("cluster", "--k", "3", "--out", out)
    assert "1.00 with table3_model_based" in said  # the groups that the paper printed
    assert "Spearman 1.00" in call("compare", table_three, "paper:table3", "--out", out)
    call("report", "--out", out)
    page = (out / "report.html").read_text()
    assert "relevance import table3.csv" in page
    assert "relevance pairwise --seeds" not in page


def test_a_plain_file_of_scores_can_be_grouped_and_reported_at_once(
    table_three: Path, tmp_path: Path
) -> None:
    call("cluster", "--matrix", table_three, "--k", "3", "--out", tmp_path / "one")
    groups = Groups.read(tmp_path / "one" / "groups.json").groups.values()
    assert sorted(len(group) for group in groups) == [4, 4, 5]
    call("report", table_three, "--out", tmp_path / "two")
    assert (tmp_path / "two" / "report.html").exists()


@pytest.mark.parametrize("seeds", [3, 5])
def test_intervals_from_seeds_alone_are_those_of_predictions_where_dev_rows_are_many(
    seeds: int,
) -> None:
    """20,000 dev rows: 0.3 points of noise in a score, beside 2 points over seeds."""
    predictions = make_sweep(GAINS, dev=20_000, seeds=seeds, sd=0.02, seed=seeds)
    whole = bootstrap_gains(predictions, draws=2000)
    alone = bootstrap_scores(list_scores(predictions, None), draws=2000)
    cells = ~np.eye(3, dtype=bool)
    widths = [np.subtract(*reversed(found.interval()))[cells] for found in (whole, alone)]
    assert np.allclose(widths[1] / widths[0], 1, atol=0.1)
    assert np.allclose(whole.gains(), alone.gains())
    assert np.allclose(whole.p_values[cells], alone.p_values[cells], atol=0.1)


def test_few_dev_rows_widen_intervals_and_never_narrow_them() -> None:
    predictions = make_sweep(GAINS, dev=100, seeds=3, sd=0.01)
    cells = ~np.eye(3, dtype=bool)
    whole, without, counted = (
        found.interval()[1][cells] - found.interval()[0][cells]
        for found in (
            bootstrap_gains(predictions),
            bootstrap_scores(list_scores(predictions, None)),
            bootstrap_scores(list_scores(predictions, 100)),
        )
    )
    assert (counted > without).all()
    assert counted.mean() > whole.mean()  # runs err on the same rows, which scores do not tell


def test_one_run_on_counted_rows_has_the_binomial_interval() -> None:
    # two shares of 400 rows, .8 and .7: variance .16 / 400 + .21 / 400 = .000925, SD .0304
    arms = {"": {0: 0.7}, "b": {0: 0.8}}
    targets = [
        ArmScores("a", "accuracy", 400, arms),
        ArmScores("b", "accuracy", 400, {"": {0: 0.7}}),
    ]
    found = bootstrap_scores(targets, draws=20_000)
    low, high = found.interval("points")
    assert high[1, 0] - low[1, 0] == pytest.approx(2 * 1.96 * 0.0304, rel=0.03)
    assert not found.has_seed_noise.any()


def test_gains_without_seeds_or_counted_rows_have_neither_interval_nor_test(tmp_path: Path) -> None:
    rows = ["a,,0,.7", "a,b,0,.8", "b,,0,.6", "b,,1,.62", "b,a,0,.7", "b,a,1,.69"]
    results = load_results(write_rows(tmp_path / "s.csv", *rows))
    p = results.matrix.to_frame("p_value")
    assert np.isnan(p.loc["b", "a"])
    assert p.loc["a", "b"] < 0.2
    assert np.isnan(results.matrix.to_frame("ci_low").loc["b", "a"])
    said = list(describe_missing(results))
    assert "missing: a second seed, or metric and n_dev, of a: these gains have no interval" in said
    list(describe_plan(results))


def test_a_loss_that_falls_is_a_gain(tmp_path: Path) -> None:
    rows = [
        "a,,0,2.0",
        "a,,1,2.2",
        "a,b,0,1.5",
        "a,b,1,1.65",
        "b,,0,1",
        "b,,1,1.1",
        "b,a,0,1.5",
        "b,a,1,1.4",
    ]
    path = write_rows(tmp_path / "loss.csv", *rows)
    found = load_results(path, ImportOptions(lower_is_better=True)).matrix
    # (2.1 - 1.575) / 2.1 = .25; (1.05 - 1.45) / 1.05 = -.381
    assert found.to_frame().loc["b", "a"] == pytest.approx(0.25)
    assert found.to_frame().loc["a", "b"] == pytest.approx(-0.380952, abs=1e-6)
    assert found.to_frame("ci_low").loc["b", "a"] < 0.25 < found.to_frame("ci_high").loc["b", "a"]


def test_a_metric_that_is_an_error_is_read_as_one(tmp_path: Path) -> None:
    rows = ["a,,0,2.0,mae", "a,b,0,1.5,mae", "b,,0,.8,accuracy", "b,a,0,.84,accuracy"]
    content = "target,partner,seed,score,metric\n" + "\n".join(rows)
    (tmp_path / "mixed.csv").write_text(content)
    found = load_results(tmp_path / "mixed.csv").matrix.to_frame()
    assert found.loc["b", "a"] == pytest.approx(0.25)  # (2 - 1.5) / 2
    assert found.loc["a", "b"] == pytest.approx(0.05)  # (.84 - .8) / .8


def test_odds_of_two_classes_are_read_as_predictions(tmp_path: Path) -> None:
    runs = {"a,,0": (0.1, 0.4, 0.35, 0.8), "a,b,0": (0.1, 0.2, 0.35, 0.8)}
    runs |= {f"b{rest[1:]}": odds for rest, odds in runs.items()}
    runs = {name.replace("b,b", "b,a"): odds for name, odds in runs.items()}
    rows = [
        f"{name},{row},{label},{odds[row]},auroc"
        for name, odds in runs.items()
        for row, label in enumerate("nnyy")
    ]
    header = "target,partner,seed,row,label,prediction,metric\n"
    (tmp_path / "odds.csv").write_text(header + "\n".join(rows))
    found = load_results(tmp_path / "odds.csv").matrix.to_frame()
    # alone 3 of 4 pairs are in order, together all: (1 - .75) / .75
    assert found.loc["b", "a"] == pytest.approx(1 / 3)


def test_draws_give_groups_their_stability(tmp_path: Path) -> None:
    rng, names = np.random.default_rng(0), [f"t{i}" for i in range(5)]
    rows = [
        f"{target},{partner},{seed},{0.7 + 0.05 * (partner == 't0') + 0.01 * rng.standard_normal()}"
        for target in names
        for partner in ("", *(name for name in names if name != target))
        for seed in range(3)
    ]
    path = write_rows(tmp_path / "s.csv", *rows)
    said = call("import", path, "--out", tmp_path / "out")
    assert "further runs where they may change a decision" in said
    output = Output(tmp_path / "out")
    matrix = RelevanceMatrix.read(output.pairwise)
    draws = read_draws(output.draws, matrix)
    again = load_results(path).draws
    assert draws is not None
    assert again is not None
    assert np.allclose(draws, again, atol=1e-6)
    assert "stability" in call("cluster", "--k", "2", "--out", output.folder)


def test_a_name_is_a_name_whatever_lies_beside_it(table_three: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call("import", table_three, "--out", out)
    Path("pairwise").mkdir()
    assert "wrote" in call("cluster", "--matrix", "pairwise", "--k", "3", "--out", out)


# Predictions


def test_predictions_give_everything_that_the_own_sweep_gives(tmp_path: Path) -> None:
    predictions = make_sweep(GAINS, dev=150)
    frame = tabulate(predictions).sample(frac=1, random_state=0)  # rows in any order
    (tmp_path / "runs" / "b").mkdir(parents=True)
    frame.iloc[:2000].to_csv(tmp_path / "runs" / "one.csv", index=False)
    frame.iloc[2000:].to_parquet(tmp_path / "runs" / "b" / "two.parquet")
    results = load_results(tmp_path / "runs")
    expected = bootstrap_gains(predictions)
    order = [results.matrix.tasks.index(name) for name in expected.tasks]
    for column, values in (
        ("value", expected.gains()),
        ("p_value", expected.p_values),
        ("n_single_seeds", np.where(np.eye(3), np.nan, 3)),
    ):
        found = results.matrix.to_frame(column).to_numpy()[np.ix_(order, order)]
        assert np.allclose(found, values, equal_nan=True)
    results.write(Output(tmp_path))
    for name in ("", "-scores", "-draws", "-collapsed", "-targets", "-additive"):
        assert (tmp_path / f"pairwise{name}.parquet").exists()
    targets = pd.read_parquet(tmp_path / "pairwise-targets.parquet")
    assert (targets["beats"] == "yes").all()


def test_named_classes_are_read_and_a_constant_run_is_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 80)
    single = draw_arm(labels, 0.8, 2, rng)
    predictions = {
        "a": make_target("a", labels, single, {"b": np.ones((2, 80), int)}),
        "b": make_target("b", labels, single, {"a": single}),
    }
    frame = tabulate(predictions).replace(
        {"label": {0: "no", 1: "yes"}, "prediction": {0: "no", 1: "yes"}}
    )
    frame.to_csv(tmp_path / "p.csv", index=False)
    results = load_results(tmp_path / "p.csv", ImportOptions(metric="f1"))
    assert results.measurement is not None
    assert [(run.task, run.partner) for run in results.measurement.collapsed] == [("a", "b")] * 2
    assert results.predictions is not None
    assert results.predictions.predictions["a"].labels.tolist() == labels.tolist()


# Matrices


def test_a_matrix_that_is_not_square_goes_through_the_commands(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    names = [f"s{i}" for i in range(22)]
    values = 4 * rng.standard_normal((22, 21))
    values[3, 7] = np.nan
    frame = pd.DataFrame(values, index=names, columns=names[:21])
    frame.to_csv(tmp_path / "wide.csv")
    frame.T.to_csv(tmp_path / "turned.csv")
    said = call("import", tmp_path / "wide.csv", "--out", tmp_path / "out")
    assert "no target, a source alone: s21" in said
    assert "values read as percent" in said
    grouped = call("cluster", "--k", "3", "--method", "kmeans", "--out", tmp_path / "out")
    assert "wrote" in grouped
    groups = Groups.read(tmp_path / "out" / "groups.json")
    assert sorted(groups.tasks) == sorted(names[:21])
    said = call("compare", tmp_path / "turned.csv", tmp_path / "turned.csv", "--targets", "rows")
    assert "Spearman 1.00" in said
    call("report", "--out", tmp_path / "out")


def test_intervals_of_published_gains_give_q_values(tmp_path: Path) -> None:
    header = "source,target,value,low,high"
    rows = ("a,b,0.05,0.01,0.09", "b,a,-0.02,-0.06,0.02")
    found = load_results(write_rows(tmp_path / "m.csv", *rows, header=header)).matrix
    # z = .05 / (.08 / 3.92) = 2.45: p = .0143; z = .98: p = .327; q = .0286 and .327
    assert found.to_frame("q_value").loc["a", "b"] == pytest.approx(0.0286, abs=1e-3)
    assert found.to_frame("q_value").loc["b", "a"] == pytest.approx(0.327, abs=1e-3)


def test_relevances_that_are_no_gains_are_kept_apart(tmp_path: Path) -> None:
    rows = ("a,b,0.5", "b,a,0.2", "a,c,0.1", "c,a,0.9", "b,c,0.3", "c,b,0.4")
    path = write_rows(tmp_path / "m.csv", *rows, header="source,target,value")
    said = call("import", path, "--out", tmp_path / "out")
    assert "relevances, not gains" in said
    assert not Output(tmp_path / "out").pairwise.exists()
    call("cluster", "--matrix", Output(tmp_path / "out").own, "--k", "2", "--out", tmp_path / "out")


# Bad input

GOOD = ("a,,0,.7", "a,b,0,.8", "b,,0,.6", "b,a,0,.7")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (GOOD[1:], "target `a` should have scores alone"),
        ((*GOOD, "a,c,0,.9"), "partner `c` (of a) should be a target"),
        ((*GOOD, "a,b,0,.9"), "`a` with `b` should have one score for seed 0. Found 0.8, 0.9"),
        (("a,,0,.5", "a,b,0,.5", "a,b,1,.5", *GOOD[2:]), "`a` should have scores that differ"),
        ((*GOOD, "a,b,1,much"), "row 5, `score`, should be a number. Found `much`"),
        ((*GOOD, "a,b,1,"), "row 5, `score`, should be a number. Found ``"),
        ((*GOOD, "a,a,1,.3"), "should have other partners than itself"),
        (("a,,0,.7", "a,b,0,79", "b,,0,.6", "b,a,0,.7"), "fractions beside percent"),
        (GOOD[:1], "at least two targets"),
    ],
)  # fmt: skip
def test_a_faulty_table_is_refused_in_a_sentence_and_nothing_is_written(
    tmp_path: Path, rows: tuple[str, ...], said: str
) -> None:
    path = write_rows(tmp_path / "s.csv", *rows)
    done = CliRunner().invoke(app, ["import", str(path), "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "s.csv", "a,b,0,.8", "b,,0,.6", "b,c,0,.7", "b,a,0,x")
    with pytest.raises(InputError) as error:
        load_results(path)
    assert len(error.value.problems) == 3  # a has no single, c is no target, x is no number


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("s.csv", b"only words\n", "should hold rows"),
        ("s.csv", b"\x00\x01\x02,a\n\xff\xfe,b\n", "should be"),
        ("s.parquet", b"no parquet", "should be parquet"),
        ("s.txt", b"target,score\n", "should be a table"),
        ("s.csv", b"target,score\na,1\n", "Missing: partner"),
        ("s.csv", b"target,label,prediction\na,1,1\n", "Missing: partner, seed, row"),
    ],
)
def test_a_file_that_is_no_table_of_results_is_refused(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said):
        load_results(tmp_path / name)


def test_a_folder_with_nothing_usable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("words")
    with pytest.raises(InputError, match="should hold tables of predictions"):
        load_results(tmp_path)


def test_faulty_predictions_are_all_named(tmp_path: Path) -> None:
    frame = tabulate(make_sweep(GAINS, dev=20, seeds=2))
    is_run = (frame["target"] == "a") & (frame["partner"] == "b")
    frame = frame[~(is_run & (frame["seed"] == 1) & (frame["row"] == 3))]
    frame.loc[
        (frame["target"] == "b") & (frame["partner"] == "c") & (frame["row"] == 0), "label"
    ] = 7
    frame = frame[~((frame["target"] == "c") & (frame["partner"] == ""))]
    frame.to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(InputError) as error:
        load_results(tmp_path / "p.csv")
    text = str(error.value)
    assert "target `c` should have predictions alone" in text
    assert "`a` with `b`, seed 1, should have the rows of the other runs" in text
    assert "`b` with `c`, seed 0, should have the labels of the other runs" in text


def test_gains_of_own_runs_are_never_replaced(tmp_path: Path) -> None:
    own = RelevanceMatrix.from_array([[0, 0.1], [0.2, 0]], ["a", "b"], "pairwise", {"tasks": {}})
    own.write(tmp_path / "pairwise.parquet")
    with pytest.raises(InputError, match="without gains of its own"):
        check_folder(Output(tmp_path))


def test_another_import_removes_what_the_first_one_left(tmp_path: Path, table_three: Path) -> None:
    out = tmp_path / "out"
    call("import", table_three, "--out", out)
    call("cluster", "--out", out)
    call("import", write_rows(tmp_path / "s.csv", *GOOD), "--out", out)
    assert not (out / "groups.json").exists()
    assert not (out / "pairwise-decomposition.json").exists()
    assert RelevanceMatrix.read(Output(out).pairwise).tasks == ("a", "b")


# What is said and known of a file later


PARTIAL = (
    "x,y,z,w\nx,,1.5,-0.02,0.03\ny,0.02,,0.01,\nz,0.04,0.05,,0.01\nw,0.1,-0.03,0.02,\nv,0,0,0,1\n"
)


@pytest.mark.parametrize(
    ("called", "read", "best"),
    [
        ("gain", "percent (the largest, 1.5, is beyond 1)", 0.015),
        ("gain fraction", "fraction", 1.5),
    ],
)
def test_groups_of_a_partial_matrix_say_how_it_was_read_and_the_report_shows_its_gains(
    tmp_path: Path, called: str, read: str, best: float
) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"{called},{PARTIAL}")
    said = call("cluster", "--matrix", path, "--k", "2", "--out", tmp_path / "out")
    assert f"values read as {read}" in said
    assert "not grouped, as they are not both source and target: v" in said
    assert "empty, and taken for what source and target have elsewhere: y to w" in said
    shown = read_inputs(tmp_path / "out").pairwise
    assert shown is not None
    assert shown.tasks == ("x", "y", "z", "w")
    assert shown.to_frame().loc["x", "y"] == best
    assert np.isnan(shown.to_frame().loc["y", "w"])  # what was filled is not shown as measured


def test_an_import_is_out_of_date_once_its_file_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"gain,{PARTIAL}")
    call("import", path, "--unit", "fraction", "--out", tmp_path / "out")
    output = Output(tmp_path / "out")
    assert find_stale(output) == []
    path.write_text(f"gain,{PARTIAL}".replace("1.5", "1.4"))
    assert any(f"`relevance import {path} --unit fraction`" in text for text in find_stale(output))


def test_a_refused_command_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("gain,x,y\na,1,2\nb,2,1\n")
    for words in (["cluster", "--k", "2", "--matrix"], ["import"]):
        broken = "m.csv" if words != ["import"] else "none.csv"
        done = CliRunner().invoke(
            app, [*words, str(tmp_path / broken), "--out", str(tmp_path / "o")]
        )
        assert done.exit_code != 0
        assert not (tmp_path / "o").exists()
