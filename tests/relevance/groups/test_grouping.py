"""Groups that admit doubt: how many there are, and whether draws repeat them more than chance."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_predictions import make_sweep

from analysis.gains.bootstrap import GainBootstrap, bootstrap_gains
from analysis.partitions.agreement import compare_labels
from analysis.partitions.per_draw import (
    cluster_for_each,
    cluster_stack,
    count_affordable,
    measure_gain,
)
from analysis.partitions.stability import GroupStability, measure_stability
from analysis.partitions.structure import find_structure, split_effects
from hmnet.errors import InputError
from hmnet.folder.outputs import Output, open_output
from hmnet.study.hierarchy import Groups
from relevance.commands.grouping_of_tasks import run_cluster
from relevance.groups.clustering import cluster
from relevance.groups.doubt import describe_doubt, group_matrix, parse_k
from relevance.groups.groupers import METHODS
from relevance.groups.partition import find_best_partition, within_group_gain
from relevance.matrices.draws import locate_draws, read_draws, write_draws
from relevance.matrices.matrix import RelevanceMatrix
from relevance.pairwise.uncertainty import to_matrix
from reports.inputs.report_inputs import read_inputs
from reports.words.group_stability import read_stability

FAMILIES = np.array([0, 1, 2] * 3)
PLANTED = 0.12 * (FAMILIES[:, None] == FAMILIES)
NOTHING = np.zeros((9, 9))


def measure(gains: Any, seeds: int = 3, seed: int = 0) -> GainBootstrap:
    return bootstrap_gains(make_sweep(gains, dev=250, seeds=seeds, sd=0.01, seed=seed), draws=120)


@pytest.fixture(scope="module")
def planted() -> GainBootstrap:
    return measure(PLANTED)


@pytest.fixture(scope="module")
def nothing() -> GainBootstrap:
    return measure(NOTHING)


def group(
    output: Output, found: GainBootstrap, k: int | None, method: str = "exact"
) -> tuple[Groups, list[str]]:
    grouped = group_matrix(to_matrix(found), k, method, 0, found.draws())
    grouped.write(output)
    return grouped.groups, list(describe_doubt(grouped))


# Many matrices at once


def test_many_exact_searches_give_what_single_ones_give() -> None:
    stack = np.random.default_rng(0).normal(size=(40, 7, 7))
    found = cluster_for_each(stack, [2, 3, 6], "exact")
    for index in (0, 31, 32, 39):
        values = stack[index] * (1 - np.eye(7))
        matrix = RelevanceMatrix.from_array(values, list("abcdefg"), "pairwise")
        for k, labels in found.items():
            best, most = find_best_partition(matrix, k)
            gain = measure_gain(values, labels[index])
            assert gain == pytest.approx(most)
            names = np.array([best.group_of(task) for task in matrix.tasks])
            same = labels[index][:, None] == labels[index]
            assert (same == (names[:, None] == names)).all()


def test_the_gain_of_a_stack_is_the_within_group_gain() -> None:
    values = np.random.default_rng(1).normal(size=(5, 5)) * (1 - np.eye(5))
    matrix = RelevanceMatrix.from_array(values, list("abcde"), "pairwise")
    groups = Groups({"1": ("a", "b", "e"), "2": ("c",), "3": ("d",)}, {})
    expected = within_group_gain(matrix, groups)
    labels = np.array([0, 0, 1, 2, 0])
    assert measure_gain(values, labels) == pytest.approx(expected)
    assert measure_gain(np.stack([values, 2 * values]), labels) == pytest.approx(
        [expected, 2 * expected]
    )


@pytest.mark.parametrize("method", METHODS)
def test_each_method_groups_draws_as_it_groups_a_matrix(
    method: str, planted: GainBootstrap
) -> None:
    groups = cluster(to_matrix(planted), 3, method)
    draw = planted.gains()[None]
    labels = cluster_stack(draw, 3, method)[0]
    names = np.array([groups.group_of(task) for task in planted.tasks])
    assert ((labels[:, None] == labels) == (names[:, None] == names)).all()


def test_the_exact_search_of_many_tasks_takes_fewer_draws() -> None:
    assert count_affordable(16, 5, "kmeans", 1000) == 1000
    assert count_affordable(13, 3, "exact", 1000) == 1000
    assert count_affordable(16, 5, "exact", 1000) == 50


# How many groups


@pytest.mark.parametrize("method", ["exact", "spectral"])
def test_planted_groups_are_found_with_their_number(method: str, planted: GainBootstrap) -> None:
    found = find_structure(planted.gains(), method, planted.draws(), nulls=59)
    assert found.k == found.best == 3
    assert found.p_value < 0.05


@pytest.mark.parametrize("method", ["exact", "spectral", "kmeans"])
def test_noise_has_no_structure(method: str, nothing: GainBootstrap) -> None:
    found = find_structure(nothing.gains(), method, nothing.draws(), nulls=59)
    assert found.k == 1
    assert found.p_value > 0.05


@pytest.mark.parametrize("method", ["exact", "kmeans"])
def test_real_gains_arranged_by_chance_have_no_structure(
    method: str, planted: GainBootstrap
) -> None:
    """Shuffled sources within each target: the cells stay, the groups are gone."""
    values, rng, alarms = planted.gains(), np.random.default_rng(0), 0
    for _ in range(10):
        order = np.stack([_shuffle_but(t, 9, rng) for t in range(9)], axis=1)
        shuffled = np.take_along_axis(values, order, axis=0)
        draws = np.take_along_axis(planted.draws(), order[None], axis=1)
        alarms += find_structure(shuffled, method, draws, nulls=59).k > 1
    assert alarms <= 2  # a level of 5 %


def _shuffle_but(fixed: int, size: int, rng: np.random.Generator) -> Any:
    others = np.delete(np.arange(size), fixed)
    order = np.empty(size, dtype=int)
    order[fixed], order[others] = fixed, rng.permutation(others)
    return order


def test_helpful_sources_and_easy_targets_are_no_groups() -> None:
    gains = np.add.outer(np.linspace(-0.08, 0.08, 9), np.linspace(-0.05, 0.05, 9))
    found = measure(gains)
    assert find_structure(found.gains(), "exact", found.draws(), nulls=59).k == 1


def test_main_effects_and_interactions_add_up(planted: GainBootstrap) -> None:
    main, rest = split_effects(planted.gains())
    np.testing.assert_allclose(main + rest, planted.gains(), atol=1e-12)
    assert (np.diag(rest) == 0).all()


# Stability


def test_certain_draws_repeat_the_groups_always(planted: GainBootstrap) -> None:
    values = planted.gains()
    labels = cluster_stack(values[None], 3, "exact")[0]
    found = measure_stability(values, np.tile(values, (20, 1, 1)), labels, "exact")
    assert (found.mean, found.low, found.high) == (1, 1, 1)
    assert set(np.unique(found.together)) == {0, 1}
    assert (found.by_task == 1).all()


def repeat_twice(kind: str, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return two measurements of one truth, and draws around the first."""
    rng = np.random.default_rng(number)
    family = np.arange(6) % 2
    truth = rng.normal(0, 0.03, (6, 6))
    if kind == "families":
        truth = 0.08 * (family[:, None] == family) + rng.normal(0, 0.005, (6, 6))
    one, other = truth + rng.normal(0, 0.03, (2, 6, 6))
    draws = one + rng.normal(0, 0.03, (60, 6, 6))
    for matrix in (one, other, *draws):
        np.fill_diagonal(matrix, 0.0)
    return one, other, draws


@pytest.mark.parametrize("kind", ["families", "without pattern"])
def test_stated_stability_is_that_of_a_repetition(kind: str) -> None:
    said, real = [], []
    for number in range(24):
        one, other, draws = repeat_twice(kind, number)
        labels = cluster_stack(one[None], 2, "exact")[0]
        again = cluster_stack(other[None], 2, "exact")
        said.append(measure_stability(one, draws, labels, "exact").mean)
        real.append(float(compare_labels(again, labels)[0]))
    # the real index of one repetition scatters by 0.3: a standard error of 0.06
    assert np.mean(said) == pytest.approx(np.mean(real), abs=0.18)


def test_an_interval_from_no_agreement_to_all_of_it_says_nothing() -> None:
    def make(low: float, high: float) -> GroupStability:
        return GroupStability(50, np.eye(4), np.ones(4), 0.5, low, high, 0.1)

    assert not make(0.0, 1.0).is_said
    assert not make(-0.2, 0.97).is_said
    assert make(0.3, 1.0).is_said


def test_groups_that_are_bands_of_vocabulary_size_are_told() -> None:
    rng = np.random.default_rng(0)
    sizes = np.array([100, 120, 140, 900, 1000, 1100, 8000, 9000, 10_000, 11_000])
    names = [f"t{i}" for i in range(10)]
    # shared words are a share of the target's: the source's size decides
    values = np.tile(np.log(sizes)[:, None] / 10, 10) + rng.normal(0, 0.005, (10, 10))
    sized = {"vocabulary_sizes": dict(zip(names, sizes.tolist(), strict=True))}
    matrix = RelevanceMatrix.from_array(values, names, "vocabulary", sized)
    found = group_matrix(matrix, 3)
    assert any("follow the size of the tasks' vocabularies" in m for m in describe_doubt(found))
    assert found.groups.origin["follows_sizes"]["p_value"] < 0.05
    dealt = np.random.default_rng(3).permutation(10)
    mixed = RelevanceMatrix.from_array(values[np.ix_(dealt, dealt)], names, "vocabulary", sized)
    assert not any("follow the size" in line for line in describe_doubt(group_matrix(mixed, 3)))


def test_planted_groups_are_stable_and_those_of_noise_are_not(
    planted: GainBootstrap, nothing: GainBootstrap
) -> None:
    results = {}
    for name, found in (("planted", planted), ("nothing", nothing)):
        values = found.gains()
        labels = cluster_stack(values[None], 3, "exact")[0]
        results[name] = measure_stability(values, found.draws(), labels, "exact")
    assert results["planted"].is_beyond_chance
    assert results["planted"].mean > 0.9
    assert not results["nothing"].is_beyond_chance


# What is written and said


def test_groups_are_written_with_their_stability_and_the_report_reads_it(
    planted: GainBootstrap, tmp_path: Path
) -> None:
    output = open_output(tmp_path / "out")
    matrix = to_matrix(planted)
    matrix.write(output.pairwise)
    write_draws(output.draws, matrix, planted)
    said = list(run_cluster(output.folder, None, "pairwise", "auto", "exact", 0))
    assert len(Groups.read(output.groups).groups) == 3
    assert said[-1] == f"wrote {output.clusters} and {output.groups} and {output.stability}"
    origin = json.loads(output.groups.read_text())["origin"]
    assert origin["k"] == 3
    assert origin["matrix"] == matrix.identity
    assert origin["resampling"]["mean_ari"] > origin["resampling"]["chance_ari"]
    assert origin["decision"]["verdict"] == "groups"
    assert origin["decision"]["others"]["alone"]["odds"] > 0.99
    assert [row["k"] for row in origin["compared"]] == [1, 3, 9]
    assert origin["compared"][2]["mean_gain"] == 0
    assert pd.read_parquet(output.clusters)["stability"].between(0, 1).all()
    stability = read_stability(read_inputs(output.folder))
    assert stability.is_steady
    assert any("a repetition of the study would agree" in line for line in said)
    assert not any("warning" in line for line in said)


def test_where_nothing_helps_nothing_is_promised(nothing: GainBootstrap, tmp_path: Path) -> None:
    output = open_output(tmp_path / "out")
    group(output, nothing, 3)
    assert output.stability.exists()
    groups, said = group(output, nothing, None, "expected")
    decision = groups.origin["decision"]
    assert decision["gain"] < 0.01
    assert decision["low"] <= 0
    assert any("no evidence for sharing" in line or "little evidence" in line for line in said)
    if decision["verdict"] != "groups":
        assert not output.stability.exists()  # that of the groups before


@pytest.mark.parametrize("method", ["expected", "kmeans", "exact", "spectral"])
@pytest.mark.parametrize(("level", "verdict"), [(-0.15, "alone"), (0.2, "all")])
def test_where_all_tasks_lose_they_are_left_alone_and_where_all_win_they_share(
    level: float, verdict: str, method: str
) -> None:
    gains = np.full((6, 6), level)
    found = measure(gains)
    grouped = group_matrix(to_matrix(found), None, method, 0, found.draws())
    assert grouped.decision is not None
    chosen = grouped.decision.chosen
    others = grouped.decision.others
    assert chosen.gain >= max(each.gain for each in others.values()) - 1e-9
    if verdict == "alone":
        assert grouped.decision.verdict == "alone"
        assert next(describe_doubt(grouped)).startswith("no evidence for sharing")
    else:
        assert chosen.low > 0


@pytest.mark.parametrize(("level", "verdict"), [(0.1, "all"), (-0.1, "alone")])
def test_with_one_seed_the_mean_alone_decides_and_it_is_said_why(
    level: float, verdict: str, tmp_path: Path
) -> None:
    found = measure(PLANTED + level, seeds=1)
    groups, said = group(open_output(tmp_path / "out"), found, None, "expected")
    assert groups.origin["decision"]["verdict"] == verdict
    opening = "no evidence for sharing" if verdict == "alone" else "share all"
    assert opening in said[0]
    (why,) = [line for line in said if "how noisy these gains are is not known" in line]
    assert "dev predictions of two seeds or more" in why
    assert "their mean alone decides" in why


def test_other_groups_that_gain_more_are_told_in_one_line(
    planted: GainBootstrap, tmp_path: Path
) -> None:
    _, said = group(open_output(tmp_path / "out"), planted, 2, "kmeans")
    assert sum(line.endswith("--k auto") for line in said) == 1
    _, said = group(open_output(tmp_path / "out"), planted, 3, "exact")
    assert not any(line.endswith("--k auto") for line in said)


def test_on_the_papers_gains_all_together_have_more_than_its_groups(tmp_path: Path) -> None:
    said = list(run_cluster(tmp_path / "out", None, "paper:table3", "3", None, 0))
    # Table 3: the mean of its 156 off-diagonal gains, and that within the paper's three groups
    line = "all in one group, a task has more measured gain, +4.2%, than in these groups, +1.2%"
    assert [each for each in said if each.endswith("--k auto")] == [f"{line}: --k auto"]
    assert set(Groups.read(Output(tmp_path / "out").groups).groups) == {"1", "2", "3"}
    auto = list(run_cluster(tmp_path / "out", None, "paper:table3", "auto", None, 0))
    assert not [each for each in auto if "more measured gain" in each]
    assert len(Groups.read(Output(tmp_path / "out").groups).groups) == 1


def test_groups_no_stabler_than_chance_come_with_a_warning(
    nothing: GainBootstrap, tmp_path: Path
) -> None:
    _, said = group(open_output(tmp_path / "out"), nothing, 3)
    assert any(line.startswith("warning: these groups are no more stable") for line in said)


def test_one_seed_makes_groups_look_stabler_and_it_is_said(tmp_path: Path) -> None:
    _, said = group(open_output(tmp_path / "out"), measure(PLANTED, seeds=1), 3)
    assert any(line.startswith("one seed:") for line in said)


def test_lower_bounds_are_resampled_on_their_own_level(
    planted: GainBootstrap, tmp_path: Path
) -> None:
    groups, said = group(open_output(tmp_path / "out"), planted, 3, "exact-lower-bound")
    assert groups.origin["resampling"]["mean_ari"] > 0.8
    assert not any("warning" in line for line in said)


@pytest.mark.parametrize("k", ["3", "auto"])
def test_a_published_table_gives_groups_and_one_line_about_what_is_unknown(
    tmp_path: Path, k: str
) -> None:
    said = list(run_cluster(tmp_path / "out", None, "paper:table3", k, "kmeans", 0))
    output = Output(tmp_path / "out")
    groups = Groups.read(output.groups)
    assert sum("cannot be said" in line for line in said) == 1
    assert "resampling" not in groups.origin
    assert said[-1] == f"wrote {output.clusters} and {output.groups}"
    assert all("low" not in row for row in groups.origin["compared"])


def test_draws_come_back_and_those_of_another_matrix_do_not(
    planted: GainBootstrap, nothing: GainBootstrap, tmp_path: Path
) -> None:
    matrix = to_matrix(planted)
    path = locate_draws(tmp_path / "mine.parquet")
    assert path.name == "mine-draws.parquet"
    assert read_draws(path, matrix) is None
    write_draws(path, matrix, planted)
    found = read_draws(path, matrix)
    assert found is not None
    np.testing.assert_allclose(found, planted.draws(), atol=1e-6)
    assert read_draws(path, to_matrix(nothing)) is None


def test_a_file_finds_the_draws_beside_it(planted: GainBootstrap, tmp_path: Path) -> None:
    matrix = to_matrix(planted)
    matrix.write(tmp_path / "mine.parquet")
    write_draws(locate_draws(tmp_path / "mine.parquet"), matrix, planted)
    list(run_cluster(tmp_path / "out", None, str(tmp_path / "mine.parquet"), "3", "exact", 0))
    assert "resampling" in Groups.read(tmp_path / "out" / "groups.json").origin


def test_k_is_a_number_or_auto() -> None:
    assert parse_k("auto") is None
    assert parse_k("4") == 4
    for text in ("-1", "many", "2.5"):
        with pytest.raises(InputError, match="whole number or auto"):
            parse_k(text)


def test_three_tasks_are_too_few_to_tell_structure_from_chance(tmp_path: Path) -> None:
    found = measure(np.zeros((3, 3)))
    vocabulary = dataclasses.replace(to_matrix(found), measure="vocabulary")
    with pytest.raises(InputError, match="fewer than 4"):
        group_matrix(vocabulary, None)
    groups, said = group(open_output(tmp_path / "out"), found, 2)
    assert len(groups.groups) == 2
    assert not any("chance" in line for line in said)


def test_expected_gains_choose_their_own_number_of_groups(planted: GainBootstrap) -> None:
    matrix = to_matrix(planted)
    with pytest.raises(InputError, match="on measured gains alone"):
        group_matrix(matrix, 3, "expected")
    with pytest.raises(InputError, match="another measure"):
        group_matrix(dataclasses.replace(matrix, measure="vocabulary"), None, "expected")
