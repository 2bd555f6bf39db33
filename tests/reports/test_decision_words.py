"""The report says of groups that were chosen for their gain what the command says."""

from __future__ import annotations

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
