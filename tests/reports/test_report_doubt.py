"""What the report says of gains that mean nothing, of runs that collapsed, and of shaky groups."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_fixture import (
    make_study,
    write_doubts,
    write_groups,
    write_layers,
    write_pairwise,
    write_run,
)

import analysis.gains.attention_layers
import analysis.scores.baselines
import analysis.scores.collapse
from hmnet.runs.store import PREDICTIONS_SCHEMA
from hmnet.storage.tables import write_table
from hmnet.study.hierarchy import Groups
from relevance.attention.attention_format import ATTENTION, ATTENTION_LAYERS
from relevance.matrices.gain_table import tabulate_gains
from relevance.matrices.matrix import RelevanceMatrix
from relevance.pairwise.sweep_record_format import COLLAPSED
from reports.figure_files import list_drawings
from reports.figures import draw_attention_layers, draw_heatmap, draw_influence
from reports.html import render_report
from reports.inputs.report_inputs import ReportInputs, read_inputs
from reports.style.formatting import format_parameters
from reports.tables.collapsed_rows import count_collapses, count_runs, list_collapses
from reports.tables.influence_bars import build_influences, choose_focus
from reports.tables.matrix_table import build_heat
from reports.tables.target_rows import describe_shares, list_targets
from reports.words.answer import summarise_report
from reports.words.cautions import find_cautions
from reports.words.finding import Finding
from reports.words.group_stability import read_stability

# a learned nothing alone: what others do to it is immense and says nothing
VALUES = [[0.0, -0.02, -0.03], [-0.9, 0.0, 0.04], [1.5, -0.05, 0.0]]
UNDEFINED = [[False, False, False], [True, False, False], [True, False, False]]


def plain(text: object) -> str:
    """Return a piece of HTML, or several, as plain text."""
    if isinstance(text, list | tuple):
        return " ".join(map(plain, text))
    return html.unescape(re.sub(r"<[^>]+>", "", str(text))).replace("\u00a0", " ")


def make_inputs(**columns: object) -> ReportInputs:
    columns = {"undefined": UNDEFINED, **columns}
    matrix = RelevanceMatrix.from_array(VALUES, ["a", "b", "c"], "pairwise", **columns)  # type: ignore[arg-type]
    return ReportInputs("relevance-out", pairwise=matrix)


def ask(inputs: ReportInputs, key: str) -> Finding:
    return next(f for f in summarise_report(inputs).findings if f.key == key)


# --- gains over nothing -------------------------------------------------------------------------


def test_a_gain_over_nothing_learned_is_never_an_answer() -> None:
    inputs = make_inputs()
    losses = ask(inputs, "losses")
    # only b and c learned something: (-0.05 + 0.04) / 2 < 0
    assert plain(losses.answer).startswith("b and c: trained together, b loses 5.0 %")
    assert "2 pairs are left out: trained alone, a is no better" in plain(losses.evidence)
    assert "b helps c by 4.0 %" in plain(ask(inputs, "help").answer)
    assert "150" not in plain(ask(inputs, "help").answer)


def test_where_nothing_was_learned_no_pair_is_judged() -> None:
    undefined = ~np.eye(3, dtype=bool)
    finding = ask(make_inputs(undefined=undefined), "losses")
    assert plain(finding.answer).startswith("No pair can be judged: trained alone, b, c and a")
    assert finding.tone == "doubt"


def test_a_gain_over_nothing_has_no_colour_and_says_why() -> None:
    inputs = make_inputs()
    assert inputs.pairwise is not None
    table = build_heat(inputs.pairwise, None)
    cell = table.rows[2][0]
    assert (cell.text, cell.classes) == ("+150.0", "void")
    assert "says nothing: alone, a is no better than a constant answer" in cell.details
    assert table.has_voids
    # the colours are left to those that say something: the largest of them is 5 %
    assert table.legend[-1].label.replace("\u00a0", " ") == "+5.0 %"


def test_bars_and_focus_leave_it_out_too() -> None:
    inputs = make_inputs()
    assert inputs.pairwise is not None
    gains = tabulate_gains(inputs.pairwise)
    assert choose_focus(gains) == "b"
    influence = build_influences(gains, inputs.pairwise.tasks)[0]
    assert [bar.verdict for bar in influence.received] == ["void", "void"]
    assert [bar.verdict for bar in influence.given] == ["untested", "untested"]


def test_a_significant_gain_over_nothing_does_not_count() -> None:
    q = np.where(np.eye(3, dtype=bool), np.nan, 0.001)
    inputs = make_inputs(q_value=q, n_seeds=np.full((3, 3), 3.0))
    assert "4 of 4 gains are beyond noise" in plain(ask(inputs, "help").evidence)


def test_pictures_hatch_it() -> None:
    inputs = make_inputs()
    assert inputs.pairwise is not None
    axes = draw_heatmap(inputs.pairwise).axes[0]
    corners = {patch.get_xy() for patch in axes.patches if patch.get_hatch()}  # type: ignore[attr-defined]
    assert corners == {(0, 1), (0, 2)}
    bars = draw_influence(inputs.pairwise, "a").axes[0].patches
    assert all(bar.get_hatch() for bar in bars)


def test_the_page_says_which_targets_learned_nothing() -> None:
    page = render_report(make_inputs())
    assert "Trained alone, <b" in page
    assert "Striped columns say nothing" in page
    assert page.count('class="void"') >= 2


def test_one_seed_says_which_direction_is_more_than_its_dev_set_explains() -> None:
    q = np.array([[np.nan, 0.2, 0.2], [0.2, np.nan, 0.6], [0.2, 0.001, np.nan]])
    inputs = make_inputs(q_value=q, n_seeds=np.ones((3, 3)))
    said = plain(ask(inputs, "losses").evidence)
    assert "in these very runs the change of b is more than the choice of dev examples" in said


# --- what the sweep wrote beside the matrix -----------------------------------------------------


def test_layers_of_a_real_measurement_are_read_and_drawn(tmp_path: Path) -> None:
    rows = [
        (task, partner, layer, head, 1 - 0.1 * layer)
        for task, partner in (("a", "b"), ("b", "a"), ("a", "c"), ("c", "a"))
        for layer in (1, 2)
        for head in (1, 2)
    ]
    similarities = pd.DataFrame(rows, columns=list(ATTENTION.columns))
    gains = pd.DataFrame(
        [("a", "b", 0.1), ("b", "a", -0.1), ("a", "c", 0.2), ("c", "a", 0.0)],
        columns=["task", "partner", "gain"],
    )
    table = analysis.gains.attention_layers.relate_to_gains(similarities, gains)
    path = tmp_path / "attention-layers.parquet"
    write_table(path, table, ATTENTION_LAYERS.schema, {"runs": []})
    inputs = read_inputs(tmp_path)
    assert inputs.problems == ()
    assert inputs.layers is not None
    assert inputs.layers["similarity"].tolist() == pytest.approx([0.9, 0.8])
    assert "attention-layers" in dict(list_drawings(inputs))
    page = render_report(inputs)
    assert "Where sharing changes the model" in page
    assert "0.900" in page


@pytest.mark.parametrize("width_in", [3.3, 7.0])
def test_layers_are_drawn_beside_their_correlation(tmp_path: Path, width_in: float) -> None:
    made = make_study(tmp_path / "study")
    write_layers(made)
    inputs = read_inputs(made.out)
    assert inputs.layers is not None
    left, right = draw_attention_layers(inputs.layers, width_in).axes
    assert [line.get_label() for line in left.lines] == ["all pairs", "the task gains", "it loses"]
    assert [bar.get_height() for bar in right.patches] == pytest.approx(  # type: ignore[attr-defined]
        inputs.layers["spearman"].tolist()
    )


def test_the_sweeps_own_list_of_collapsed_runs_is_shown(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    write_doubts(made, write_pairwise(made))
    write_run(made, ["wnli", "rte"], 1, collapsed=True)  # judged by the sweep: not listed twice
    write_run(made, ["cb", "rte", "wnli"], 0, collapsed=True)  # none of the sweep's
    found = list_collapses(read_inputs(made.out))
    assert [(one.task, one.trained_with, one.counted) for one in found[:1]] == [
        ("wnli", "rte", "yes")
    ]
    assert {one.trained_with for one in found[1:]} == {"2 others (multi-task)"}
    assert {one.counted for one in found[1:]} == {""}


def test_a_dev_set_with_one_label_shows_no_collapse(tmp_path: Path) -> None:
    """As in the statistics: naming the only label there is is no failure."""
    made = make_study(tmp_path / "study")
    folder = write_run(made, ["wnli"], 0, collapsed=True)
    assert list_collapses(read_inputs(made.out))
    path = folder / "predictions" / "wnli.parquet"
    table = pd.read_parquet(path).assign(label=0)
    write_table(path, table, PREDICTIONS_SCHEMA, {"run": folder.name})
    assert list_collapses(read_inputs(made.out)) == []


def test_a_run_that_failed_at_two_tasks_is_one_run() -> None:
    both = [("a", "b", 0, "loss at chance", True), ("b", "a", 0, "loss at chance", True)]
    alone = [("a", "", 0, "one class predicted", True)]
    frame = pd.DataFrame(both + alone, columns=list(COLLAPSED.columns))
    inputs = ReportInputs("out", collapsed=frame)
    found = list_collapses(inputs)
    assert count_runs(found) == 2
    assert [(c.task, c.collapsed) for c in count_collapses(inputs, found)] == [("a", 2), ("b", 1)]
    (caution,) = find_cautions(inputs, None, None)
    assert plain(caution).startswith("2 runs collapsed: nothing was learned of a and b. The scores")
    dropped = replace(inputs, collapsed=frame.assign(in_means=False))
    assert "are left out of the means" in plain(list(find_cautions(dropped, None, None)))


def test_no_collapsed_run_is_no_problem(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    write_doubts(made, write_pairwise(made))
    empty = pd.DataFrame([], columns=list(COLLAPSED.columns))
    write_table(made.out / "pairwise-collapsed.parquet", empty, COLLAPSED.schema, {})
    inputs = read_inputs(made.out)
    assert inputs.problems == ()
    assert list_collapses(inputs) == []
    assert 'id="collapsed' not in render_report(inputs)


def test_targets_are_listed_with_what_can_be_detected(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    write_doubts(made, write_pairwise(made))
    row = next(row for row in list_targets(read_inputs(made.out)) if row.task == "wnli")
    assert row.learned == "not shown"
    texts = [text.replace("\u00a0", " ") for _, text in row.numbers]
    assert texts == ["56.3 %", "50.0 %", "–", "1.1", "71", "3", "3"]


def test_what_the_gains_are_due_to_is_said_of_their_own_matrix_alone(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    write_doubts(made, write_pairwise(made))
    said = plain(list(describe_shares(read_inputs(made.out))))
    assert "20 % are due to the source" in said
    assert "50 % to who is paired with whom" in said
    # 1 % + 2 % + 7 %
    assert "Noise alone would give 10 % of these differences." in said
    write_pairwise(made)  # the generator goes on: another matrix
    assert list(describe_shares(read_inputs(made.out))) == []


# --- groups -------------------------------------------------------------------------------------


def test_groups_no_stabler_than_those_of_noise_are_called_so(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    groups = write_groups(made, write_pairwise(made), stability=0.9)
    assert "Stable:" in plain(ask(read_inputs(made.out), "groups").evidence)
    resampling = {"mean_ari": 0.5, "ari_low": 0.1, "ari_high": 0.9, "chance_ari": 0.6}
    compared = [{"k": 1, "mean_gain": 0.011}, {"k": 3, "mean_gain": 0.05}]
    origin = {**groups.origin, "resampling": resampling, "compared": compared}
    origin |= {"within_group_gain": 0.65}
    Groups(groups.groups, origin).write(made.out / "groups.json")
    inputs = read_inputs(made.out)
    said = plain(ask(inputs, "groups").evidence)
    assert "No more stable than groups of pure noise:" in said
    assert "0.50 (0.10 to 0.90); groups of pure noise reach 0.60." in said
    # 0.65 over 13 tasks
    assert "gains +5.0 % on average from each partner, in one group of all tasks +1.1 %" in said
    assert read_stability(inputs).is_shaky
    assert ask(inputs, "groups").tone == "doubt"


def test_stability_with_one_seed_is_not_called_good(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    write_groups(made, write_pairwise(made, seeds=1, tested=False), stability=0.9)
    finding = ask(read_inputs(made.out), "groups")
    assert "when dev examples are drawn anew" in plain(finding.evidence)
    assert "look more stable than they are" in plain(finding.evidence)
    assert finding.tone == "doubt"


@pytest.mark.parametrize(
    ("count", "text"), [(22.7e6, "22.7 M"), (999_600, "1.0 M"), (36_612, "37 k"), (np.nan, "–")]
)
def test_parameters_of_small_models_are_not_zero(count: float, text: str) -> None:
    assert format_parameters(count) == text
