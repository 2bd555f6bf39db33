"""The comparison of systems in the report (paper, Table 1): what is marked, and what is told."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pandas as pd
import pytest
from report_fixture import make_study, write_comparison, write_run

from hmnet.storage.tables import write_table
from hmnet.study.hierarchy import HierarchySpec
from relevance.systems.comparison_format import COMPARISON
from reports.html import render_report
from reports.inputs.comparison_origin import ComparisonOrigin
from reports.inputs.report_inputs import ReportInputs, read_inputs
from reports.inputs.run_index import RunIndex
from reports.inputs.score_table import arrange_scores
from reports.tables.designs import list_designs, recall_origin, tell_budget
from reports.tables.score_rows import ScoreCell, build_scores
from reports.words.answer import summarise_report

DIFFERENCES = {
    "sure": (-0.03, -0.05, -0.01),
    "unsure": (-0.03, -0.07, 0.01),
    "level": (0.0, -0.01, 0.01),
    "gains": (0.03, 0.01, 0.05),
}
"""Task to the difference of HMNet to single-task training and its interval."""
VERSUS_MULTI = (0.01, -0.005, 0.025)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """A comparison with intervals, in which HMNet loses and gains, surely and not."""
    rows = []
    for task, found in DIFFERENCES.items():
        for seed in (0, 1, math.nan):
            for system in ("single-task", "multi-task", "hmnet-manual"):
                score = 0.8 + (found[0] if system == "hmnet-manual" else 0.0)
                row = {"system": system, "task": task, "seed": seed, "score": score}
                if system == "hmnet-manual" and math.isnan(seed):
                    for start, numbers in (("vs_single", found), ("vs_multi", VERSUS_MULTI)):
                        ends = ("", "_low", "_high")
                        row |= {f"{start}{e}": n for e, n in zip(ends, numbers, strict=True)}
                rows.append(row)
    columns = ["ci_low", "ci_high", "params_activated", "params_overall"]
    frame = pd.DataFrame(rows).assign(**dict.fromkeys(columns, 1.0))
    return frame.assign(negative_transfer=frame["vs_single_high"] < 0)


def find_cell(frame: pd.DataFrame, task: str) -> ScoreCell:
    """Return HMNet's cell of a task."""
    table = build_scores(arrange_scores(frame))
    row = next(row for row in table.rows if row.task == task)
    return row.cells[table.systems.index("HMNet (manual groups)")]


@pytest.mark.parametrize(
    ("task", "mark"), [("sure", {"below"}), ("unsure", {"below", "faint"}), ("level", set())]
)
def test_only_a_loss_whose_interval_is_below_zero_is_marked_as_negative_transfer(
    frame: pd.DataFrame, task: str, mark: set[str]
) -> None:
    cell = find_cell(frame, task)
    assert set(cell.classes.split()) - {"best"} == mark
    flagged = frame.loc[(frame["task"] == task) & frame["negative_transfer"], "system"]
    assert ("negative transfer" in cell.details) == (mark == {"below"}) == bool(len(flagged))


def test_a_cell_tells_the_differences_to_both_references_with_their_intervals(
    frame: pd.DataFrame,
) -> None:
    lines = find_cell(frame, "sure").details.splitlines()
    assert "−3.00 points against single-task training, 95 % interval −5.00 to −1.00" in lines
    assert "+1.00 points against multi-task training, 95 % interval −0.50 to +2.50" in lines
    against_multi, against_single = build_scores(arrange_scores(frame)).differences
    assert against_multi.other == "multi-task"
    column = against_multi.systems.index("HMNet (manual groups)")
    assert dict(against_multi.rows)["sure"][column] == "+1.0 (−0.5 to +2.5)"
    assert dict(against_single.rows)["gains"][column] == "+3.0 (+1.0 to +5.0)"


def test_an_error_stands_in_its_own_unit_and_its_difference_in_percent_of_it(
    frame: pd.DataFrame,
) -> None:
    # Alone .8, HMNet .83 (stored as -.8 and -.83): .03 / .8 = 3.75 % behind, and not 3 points.
    is_sure = frame["task"] == "sure"
    scores = frame.assign(score=frame["score"].where(~is_sure, frame["score"] - 1.6))
    table = arrange_scores(scores, {"sure"})
    row = next(row for row in build_scores(table).rows if row.task == "sure")
    texts = dict(zip(table.systems, row.cells, strict=True))
    assert texts["single-task"].text == "0.8"
    assert texts["hmnet-manual"].text == "0.83"
    assert "best" in texts["single-task"].classes
    assert "−3.75 points against single-task" in texts["hmnet-manual"].details
    assert "negative transfer" in texts["hmnet-manual"].details
    others = [0.8 + DIFFERENCES[task][0] for task in ("unsure", "level", "gains")]
    average = table.score("hmnet-manual", "average")
    assert average is not None
    assert average.value == pytest.approx(sum(others) / 3)


def test_the_answer_counts_sure_losses_apart_from_what_may_be_noise(frame: pd.DataFrame) -> None:
    found = summarise_report(ReportInputs("study", comparison=frame)).findings
    said = re.sub("<[^>]+>", "", " ".join(next(f for f in found if f.key == "payoff").evidence))
    assert (
        "Negative transfer on 1 of 4 tasks, where the whole 95 % interval is below single-task "
        "training; most on sure (−3.0) points." in said
    )
    assert (
        "Behind single-task training by what may be noise on 1 of 4 tasks; most on unsure (−3.0) "
        "points." in said
    )


def test_budget_layers_and_groups_are_the_ones_recorded(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    write_comparison(made)
    inputs = read_inputs(made.out)
    assert tell_budget(inputs.comparison_origin) == (
        "Equal budget for every system: 3 epochs over at most 2,000 rows of each task, batches of "
        "32, learning rate 2e-05, at most 128 tokens; the same rows, batches and seeds."
    )
    designs = {design.system: design for design in list_designs(inputs.comparison_origin)}
    assert designs["Single-task"].layers == "each task alone"
    assert designs["Multi-task"].layers == "{6,0,0}"
    hmnet = designs["HMNet (pairwise groups)"]
    assert hmnet.layers == "{4,1,1}"
    assert tuple(hmnet.groups["3"]) == made.families[2]
    page = render_report(inputs)
    assert "Equal budget for every system: 3 epochs" in page
    assert ", ".join(made.families[2]) in page


def test_what_a_table_does_not_record_is_taken_from_the_runs_with_its_scores(
    tmp_path: Path,
) -> None:
    made = make_study(tmp_path / "study")
    write_run(made, made.tasks, 0, HierarchySpec(5, 1, 0), [made.tasks[:3], made.tasks[3:]])
    write_run(made, made.tasks, 0, HierarchySpec(4, 1, 1), made.families)
    write_run(made, made.tasks, 0)
    by_layers = {str(r.spec.hierarchy): r for r in read_inputs(made.out).runs.done}
    systems = {"multi-task": "6,0,0", "hmnet-manual": "4,1,1"}
    rows = [
        {"system": system, "task": task, "seed": 0, "score": score}
        for system, layers in systems.items()
        for task, score in by_layers[layers].result.primary.items()
    ] + [{"system": "single-task", "task": task, "seed": 0, "score": 0.5} for task in made.tasks]
    rows += [{"system": "lost", "task": task, "seed": 0, "score": 0.6} for task in made.tasks]
    origin = recall_origin(pd.DataFrame(rows), read_inputs(made.out).runs)
    assert tell_budget(origin) == (
        "Equal budget for every system: 3 epochs, batches of 32, learning rate 2e-05; the same "
        "rows, batches and seeds."
    )
    multi, hmnet, single, lost = list_designs(origin)
    assert (multi.layers, multi.groups) == ("{6,0,0}", {})
    assert hmnet.layers == "{4,1,1}"
    assert {frozenset(group) for group in hmnet.groups.values()} == set(
        map(frozenset, made.families)
    )
    assert (single.layers, lost.layers) == ("each task alone", "–")


@pytest.mark.parametrize(
    ("origin", "named"),
    [({"systems": "all"}, "systems"), ({"training": {"epochs": "many"}}, "training.epochs")],
)
def test_a_comparison_whose_origin_is_broken_is_a_problem_of_the_report(
    tmp_path: Path, frame: pd.DataFrame, origin: dict[str, object], named: str
) -> None:
    write_table(tmp_path / "compare.parquet", frame, COMPARISON.schema, origin)
    inputs = read_inputs(tmp_path)
    assert inputs.comparison is None
    assert any(f"compare.parquet: Parameter `{named}`" in text for text in inputs.problems)


def test_a_comparison_without_any_known_origin_is_shown_without_it(frame: pd.DataFrame) -> None:
    assert recall_origin(frame, RunIndex()) == ComparisonOrigin()
    assert tell_budget(ComparisonOrigin()) == ""
    assert list_designs(ComparisonOrigin()) == []
