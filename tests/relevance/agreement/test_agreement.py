"""What measures are worth: figures by hand, corrections on made gains, and the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from hmnet.errors import InputError
from hmnet.folder.freshness import find_stale
from hmnet.folder.outputs import Output, open_output
from hmnet.storage.tables import read_table
from relevance.agreement.agreement_format import AGREEMENT
from relevance.agreement.agreement_text import describe_agreement
from relevance.agreement.guesses_at_hand import split_layers, to_guess
from relevance.agreement.judging import judge_guesses
from relevance.agreement.yardstick import Yardstick
from relevance.cli import app
from relevance.matrices.matrix import RelevanceMatrix
from reports.figure_files import list_drawings
from reports.html import render_report
from reports.inputs.report_inputs import read_inputs

TASKS = tuple("abcdefgh")
SIZE = len(TASKS)
NOISE = 0.02


def make_truth(seed: int = 0) -> np.ndarray:
    """Return gains within two families that are .1 larger, and sources that help everyone."""
    rng = np.random.default_rng(seed)
    family = np.arange(SIZE) % 2
    gains = np.where(family[:, None] == family, 0.05, -0.05) + rng.normal(0, 0.02, (SIZE, 1))
    np.fill_diagonal(gains, 0)
    return gains + rng.normal(0, 0.01, gains.shape) * (1 - np.eye(SIZE))


def make_noisy(truth: np.ndarray, seed: int = 1) -> tuple[RelevanceMatrix, np.ndarray]:
    rng = np.random.default_rng(seed)
    off = 1 - np.eye(SIZE)
    values = truth + NOISE * rng.normal(size=truth.shape) * off
    draws = values + NOISE * rng.normal(size=(200, *truth.shape)) * off
    return to_matrix(values, "pairwise"), draws


def to_matrix(values: np.ndarray, name: str = "guess") -> RelevanceMatrix:
    return RelevanceMatrix.from_array(values, TASKS, name)


def judge(matrix: RelevanceMatrix, draws: np.ndarray | None, **guesses: np.ndarray) -> pd.DataFrame:
    named = [to_guess(name, to_matrix(values)) for name, values in guesses.items()]
    return judge_guesses(Yardstick.of(matrix, draws), named).set_index("name")


def test_a_guess_that_is_the_measured_gains_is_perfect_as_measured() -> None:
    matrix, _ = make_noisy(make_truth())
    values = matrix.to_frame().to_numpy()
    table = judge(matrix, None, same=values, opposite=-values)
    assert table.loc["same", "spearman"] == pytest.approx(1)
    assert table.loc["opposite", "spearman"] == pytest.approx(-1)
    assert table.loc["same", ["regret1", "regret3"]].tolist() == [0, 0]
    worst = np.nanmax(np.where(np.eye(SIZE), np.nan, values), axis=0)
    worst -= np.nanmin(np.where(np.eye(SIZE), np.nan, values), axis=0)
    assert table.loc["opposite", "regret1"] == pytest.approx(worst.mean())
    assert table["regret1_true"].isna().all()  # nothing says how noisy the gains are


def test_a_random_order_is_worth_nothing_and_loses_what_the_average_source_has_less() -> None:
    matrix, draws = make_noisy(make_truth())
    row = judge(matrix, draws).loc["random order"]
    values = np.where(np.eye(SIZE), np.nan, matrix.to_frame().to_numpy())
    assert row["spearman"] == 0
    expected = (np.nanmax(values, axis=0) - np.nanmean(values, axis=0)).mean()
    assert row["regret1"] == pytest.approx(expected)


def test_noise_is_divided_out_of_a_correlation_and_drawn_out_of_a_regret() -> None:
    """The true gains as a guess: what is measured by noisy gains, and what is true of it."""
    rows = []
    for seed in range(4):
        truth = make_truth(seed)
        matrix, draws = make_noisy(truth, seed + 100)
        rows.append(judge(matrix, draws, true=truth, wrong=-truth).loc["true"])
    mean = pd.DataFrame(rows)[["spearman", "spearman_true", "regret1", "regret1_true"]].mean()
    assert mean["spearman"] < 0.95
    assert abs(mean["spearman_true"] - 1) < 0.1
    assert mean["regret1_true"] < mean["regret1"]


def test_intervals_hold_the_figure_and_are_wider_with_noise() -> None:
    truth = make_truth()
    matrix, draws = make_noisy(truth)
    guess = truth + np.random.default_rng(3).normal(0, 0.03, truth.shape)
    noisy = judge(matrix, draws, guess=guess).loc["guess"]
    for name in ("regret1", "regret3", "gain"):
        assert noisy[f"{name}_low"] <= noisy[f"{name}_true"] <= noisy[f"{name}_high"]
    assert noisy["spearman_low"] <= noisy["spearman_true"] <= noisy["spearman_high"]
    plain = judge(to_matrix(truth, "pairwise"), None, guess=guess).loc["guess"]
    width = [row["gain_high"] - row["gain_low"] for row in (noisy, plain)]
    assert width[0] > 0
    assert plain["spearman_low"] <= plain["spearman"] <= plain["spearman_high"]


def test_groups_of_a_good_guess_gain_what_the_best_do() -> None:
    truth = make_truth()
    matrix, draws = make_noisy(truth)
    likeness = np.where(np.arange(SIZE)[:, None] % 2 == np.arange(SIZE) % 2, 1.0, 0.0)
    table = judge(matrix, draws, family=likeness, wrong=1 - likeness)
    assert table.loc["family", "gain_frac"] > 0.9
    assert table.loc["wrong", "gain_frac"] < 0
    assert table.loc["pairwise", "gain_frac"] == pytest.approx(1)


def test_a_guess_that_lacks_tasks_and_cells_says_so() -> None:
    matrix, draws = make_noisy(make_truth())
    values = make_truth()
    values[0, 1:] = np.nan  # 7 of 56 cells
    table = judge(matrix, draws, holes=values)
    assert table.loc["holes", "known_frac"] == pytest.approx(49 / 56)
    few = to_matrix(make_truth()).select(TASKS[:5])
    found = judge_guesses(Yardstick.of(matrix, draws), [to_guess("few", few)]).set_index("name")
    assert found.loc["few", "known_frac"] == pytest.approx(20 / 56)


def test_each_layer_and_head_of_a_measure_is_judged_alone() -> None:
    truth = make_truth()
    columns = {"layer_1": truth, "layer_2": -truth, "layer_2_head_1": truth}
    matrix = RelevanceMatrix.from_array(0 * truth, TASKS, "attention-likeness", **columns)
    parts = list(split_layers([to_guess("attention-likeness", matrix)]))
    table = judge_guesses(Yardstick.of(to_matrix(truth, "pairwise"), None), parts)
    rho = table[table["kind"] == "layer"].set_index("name")["spearman"].round(6)
    assert rho.to_dict() == {
        "attention-likeness, layer 1": 1,
        "attention-likeness, layer 2": -1,
        "attention-likeness, layer 2 head 1": 1,
    }


def test_the_order_of_tasks_does_not_matter() -> None:
    truth = make_truth()
    matrix, _ = make_noisy(truth)
    guess = to_guess("guess", to_matrix(truth))
    turned = matrix.select(TASKS[::-1])
    one, other = (judge_guesses(Yardstick.of(m, None), [guess]) for m in (matrix, turned))
    columns = ["spearman", "regret1", "regret3", "groups", "gain"]
    rows = one["name"] != "random order"
    pd.testing.assert_frame_equal(one.loc[rows, columns], other.loc[rows, columns])


def test_a_target_that_learned_nothing_alone_is_no_judge() -> None:
    truth = make_truth()
    frame = to_matrix(truth, "pairwise").table
    marked = frame.assign(undefined=(frame["target"] == "a") & (frame["source"] != "a"))
    yardstick = Yardstick.of(RelevanceMatrix(marked, "pairwise"), None)
    assert judge_guesses(yardstick, []).set_index("name").loc["pairwise", "targets"] == SIZE - 1


def test_three_tasks_cannot_judge() -> None:
    with pytest.raises(InputError, match="at least 4 tasks"):
        Yardstick.of(to_matrix(make_truth()).select(TASKS[:3]), None)


# The command


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Output, str]:
    folder = tmp_path_factory.mktemp("judged")
    output = open_output(folder / "out")
    truth = make_truth()
    make_noisy(truth)[0].write(output.pairwise)
    to_matrix(truth + 1, "jensen-shannon").write(output.matrix("jensen-shannon"))
    (folder / "mine.csv").write_text(to_matrix(-truth).to_frame().to_csv())
    command = ["agreement", "--matrix", str(folder / "mine.csv"), "--out", str(output.folder)]
    found = CliRunner().invoke(app, command, catch_exceptions=False)
    return output, found.output


def test_the_command_judges_what_was_measured_and_says_what_was_not(
    judged: tuple[Output, str],
) -> None:
    output, said = judged
    table = read_table(output.agreement, AGREEMENT.schema)[0].set_index("name")
    assert list(table.columns) == list(AGREEMENT.columns)[1:]
    assert table.loc["jensen-shannon", "spearman"] > 0.5 > -0.5 > table.loc["mine", "spearman"]
    assert table.loc["jensen-shannon", "cost_frac"] == 0
    assert "not taken, so not judged: relevance measure" in said
    assert "agreement.parquet" in said


def test_the_report_shows_worth_against_cost(judged: tuple[Output, str]) -> None:
    inputs = read_inputs(judged[0].folder)
    assert not inputs.problems
    page = render_report(inputs)
    assert page.count('<section id="worth">') == 1
    assert "jensen-shannon" in page
    drawing = dict(list_drawings(inputs))["worth"]
    for width_in in (3.3, 7.0):
        assert len(drawing(width_in=width_in).axes) == 2


def test_it_is_out_of_date_when_a_measure_changes(judged: tuple[Output, str]) -> None:
    output, _ = judged
    assert find_stale(output, output.agreement) == []
    to_matrix(make_truth(7), "jensen-shannon").write(output.matrix("jensen-shannon"))
    assert "jensen-shannon.parquet has changed" in find_stale(output, output.agreement)[0]


def test_what_is_told_names_every_guess() -> None:
    matrix, draws = make_noisy(make_truth())
    yardstick = Yardstick.of(matrix, draws)
    guesses = [to_guess("mine", to_matrix(make_truth()))]
    said = "\n".join(describe_agreement(judge_guesses(yardstick, guesses), yardstick))
    for name in ("mine", "random order", "additive baseline", "pairwise", "reliability"):
        assert name in said


def test_without_gains_the_way_on_is_named(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["agreement", "--out", str(tmp_path / "nowhere")])
    assert found.exit_code != 0
