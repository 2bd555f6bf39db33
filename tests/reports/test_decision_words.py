"""The report says of groups that were chosen for their gain what the command says."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmnet.study.hierarchy import Groups
from reports.inputs.report_inputs import read_inputs
from reports.words.grouping_finding import describe_decision


def make_row(gain: float, low: float, high: float, **more: float) -> dict[str, float]:
    return {"gain": gain, "low": low, "high": high, **more}


def make_decision(verdict: str, gain: float) -> dict[str, object]:
    others = {
        "all": make_row(-0.01, -0.02, 0.0, odds=0.99, missed=0.0),
        "alone": make_row(0.0, 0.0, 0.0, odds=0.97, missed=0.001),
    }
    return {"verdict": verdict, **make_row(gain, 0.005, 0.055), "others": others}


def test_a_gain_is_told_beside_one_group_and_the_odds_of_training_alone() -> None:
    (text,) = describe_decision(make_decision("groups", 0.03))
    assert "expected to gain +3.0 % (+0.5 to +5.5); in one group of all" in text
    assert "training alone is better is 3 % likely" in text


def test_where_sharing_loses_it_is_said() -> None:
    (text,) = describe_decision(make_decision("alone", 0.0))
    assert text.startswith("No evidence for sharing: in one group of all")


def test_groups_of_another_kind_have_no_such_sentence() -> None:
    assert list(describe_decision(None)) == []


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("decision", {"verdict": "all", "gain": 0.1}, "low"),
        ("decision", {"verdict": "most", "gain": 0.1, "low": 0.0, "high": 0.2}, "verdict"),
        ("advice", {"given": {"gain": 0.1, "low": "much", "high": 0.2}}, "given.low"),
        ("advice", ["all"], "advice"),
    ],
)
def test_a_decision_that_is_not_whole_is_a_problem_of_the_report(
    tmp_path: Path, name: str, content: object, named: str
) -> None:
    Groups({"x": ["a", "b"], "y": ["c"]}, {name: content}).write(tmp_path / "groups.json")
    inputs = read_inputs(tmp_path)
    assert inputs.groups is None
    assert any("groups.json" in text and named in text for text in inputs.problems), inputs.problems
