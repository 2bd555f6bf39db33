"""The report's first answer, its evidence and its command follow from one decision."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hmnet.study.hierarchy import HierarchySpec
from relevance.groups.doubt import group_matrix
from relevance.matrices.matrix import RelevanceMatrix
from reports.inputs.report_inputs import ReportInputs
from reports.inputs.run_index import RunIndex
from reports.words.grouping_finding import find_groups
from reports.words.next_steps import plan_next

NAMES = list("abcdef")
FAMILIES = np.arange(6) % 2


def make_inputs(level: float, inside: float = 0.0, given: int | None = None) -> ReportInputs:
    """Return what a report reads of gains whose draws are certain, and the groups they advise."""
    gains = level + inside * (FAMILIES[:, None] == FAMILIES)
    gains = gains + np.random.default_rng(0).normal(0, 0.001, (6, 6))
    np.fill_diagonal(gains, 0.0)
    matrix = RelevanceMatrix.from_array(gains, NAMES, "pairwise", {}, n_seeds=np.full((6, 6), 5.0))
    draws = gains + np.random.default_rng(1).normal(0, 0.002, (80, 6, 6))
    draws[:, range(6), range(6)] = 0.0
    found = group_matrix(matrix, given, None, 0, draws)
    return ReportInputs("relevance-out", pairwise=matrix, groups=found.groups)


@pytest.mark.parametrize(
    ("level", "inside", "answer", "evidence", "hierarchy"),
    [
        (-0.05, 0.0, "None: train each task alone.", "No evidence for sharing", "0,0,6"),
        (0.05, 0.0, "All of them, in one group.", "is expected to gain", "6,0,0"),
        (-0.05, 0.1, "together", "is expected to gain", ""),
    ],
)
def test_answer_evidence_and_command_are_those_of_the_decision(
    level: float, inside: float, answer: str, evidence: str, hierarchy: str
) -> None:
    inputs = make_inputs(level, inside)
    run = SimpleNamespace(
        kind="single", spec=SimpleNamespace(hierarchy=HierarchySpec(6, 0, 0), names=("a",))
    )
    told = replace(inputs, runs=RunIndex(done=(run,)))  # type: ignore[arg-type]
    finding = find_groups(told)
    assert answer in finding.answer.striptags()
    assert any(evidence in each.striptags() for each in finding.evidence)
    commands = [step.command for step in plan_next(told)]
    wanted = f" --hierarchy {hierarchy}" if hierarchy else ""
    assert f"hmnet train --groups relevance-out/groups.json{wanted}" in commands


def test_without_groups_the_command_is_the_one_that_decides() -> None:
    inputs = replace(make_inputs(0.05), groups=None)
    assert "relevance cluster --k auto" in [step.command for step in plan_next(inputs)]
    assert "--k auto" in find_groups(inputs).answer.striptags()


def test_groups_of_a_given_number_stand_beside_what_would_be_better() -> None:
    inputs = make_inputs(-0.05, given=2)
    finding = find_groups(inputs)
    (text,) = [each.striptags() for each in finding.evidence if "In these groups" in each]
    assert "; training each alone loses nothing (relevance cluster --k auto)" in text
    assert "relevance cluster --k auto" in text
    assert finding.tone == "doubt"
    assert "In these groups" not in str(find_groups(make_inputs(-0.05)).evidence)
