"""The benchmark of sharing: what is trained, and what is said of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.sharing import average_suite, describe_suites, list_ways, take_t_interval
from hmnet.jobs.prepared import PreparedStudy
from hmnet.planted import make_planted_tasks
from hmnet.study.hierarchy import Groups
from hmnet.study.settings import ModelRef
from hmnet.study.study import Study
from relevance.groups.advice import advise, to_groups
from relevance.groups.hierarchy_advice import advise_hierarchy
from relevance.matrices.matrix import RelevanceMatrix
from relevance.systems.systems import System

NAMES = ["sentiment-coast", "inference-coast", "sentiment-town", "inference-town"]


def list_made(gain: float) -> dict[str, System]:
    """Return the ways where each gain is the same."""
    tasks = {name: make_planted_tasks()[name] for name in NAMES}
    study = Study(tasks=tasks, model="made")
    prepared = PreparedStudy(study, ModelRef("made", None, "0"), 6, {}, {})
    values = gain * (1 - np.eye(len(NAMES)))
    matrix = RelevanceMatrix.from_array(values, NAMES, "pairwise")
    decision = advise(matrix, None)
    advice = advise_hierarchy(to_groups(decision, matrix, "expected"), decision, 6)
    groupings = {"k-means groups": Groups.one(NAMES), "planted groups": Groups.one(NAMES)}
    return {system.name: system for system in list_ways(prepared, groupings, advice)}


def test_advice_is_one_of_the_plain_ways_where_it_says_so() -> None:
    shared, alone = list_made(0.1)["advice"], list_made(-0.1)["advice"]
    assert (str(shared.hierarchy), alone.hierarchy) == ("6,0,0", None)


def test_further_ways_differ_from_sharing_all_in_one_thing_each() -> None:
    ways = list_made(0.1)
    for name in ("averaging", "distillation", "stopping"):
        assert str(ways[name].hierarchy) == "6,0,0"
        assert ways[name].training is not None
    assert [str(stage.hierarchy) for stage in ways["stages"].stages] == ["6,0,0", "4,1,1"]


def test_intervals_are_over_suites() -> None:
    suites = []
    for number in range(3):
        scores = {"single-task": 0.6, "multi-task": 0.7 + 0.01 * number}
        scores |= {"k-means groups": 0.7, "planted groups": 0.7, "advice": 0.75}
        rows = [(name, "average", seed, score, 4e4, 10.0, 5.0)
                for name, score in scores.items() for seed in (0.0, 1.0)]  # fmt: skip
        columns = ["system", "task", "seed", "score", "params_overall", "steps", "steps_beside"]
        suites.append(average_suite(pd.DataFrame(rows, columns=columns)))
    assert suites[0]["advice"] == pytest.approx((75.0, 4e4, 15.0))
    lines = list(describe_suites(suites))
    # differences to multi-task: 5, 4, 3; t with 2 degrees of freedom is 4.303, SD 1
    half = 4.303 / np.sqrt(3)
    assert f"+4.00 ({4 - half:+.2f} to {4 + half:+.2f})" in lines[-1]
    assert take_t_interval(np.array([5.0, 4.0, 3.0])) == pytest.approx((4 - half, 4 + half), 1e-3)
