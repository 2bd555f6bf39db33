"""Which groupings `hmnet compare` and `sweep` take where none is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmnet.errors import InputError
from hmnet.folder.outputs import Output, open_output
from hmnet.study.hierarchy import Groups
from hmnet.study.study import Study
from relevance.commands.grouping_of_tasks import run_cluster
from relevance.demo import run_demo
from relevance.groups.at_hand import Groupings, find_groupings
from relevance.groups.clustering import cluster
from relevance.matrices.matrix import RelevanceMatrix
from relevance.matrices.reference import load_reference

STUDY = Study()  # the paper's tasks
NAMES = list(STUDY.tasks)


@pytest.fixture
def output(tmp_path: Path) -> Output:
    """An output folder with a vocabulary matrix and gains that are not the paper's."""
    output = open_output(tmp_path / "out")
    load_reference("paper:table2").select(NAMES).write(output.vocab)
    values = load_reference("paper:table3").select(NAMES).to_frame().to_numpy()
    RelevanceMatrix.from_array(values[::-1, ::-1], NAMES, "pairwise").write(output.pairwise)
    return output


def count(found: Groupings) -> dict[str, int]:
    return {name: len(groups.groups) for name, groups in found.groups.items()}


def test_clusterings_get_three_groups_whatever_the_manual_ones_are(output: Output) -> None:
    list(run_cluster(output.folder, None, "manual", "1", "kmeans", 0))
    assert len(Groups.read(output.groups).groups) == 4
    assert count(find_groupings(output, STUDY)) == {
        "vocabulary": 3,
        "manual": 4,
        "pairwise": 3,
    }


def test_clusterings_get_as_many_groups_as_were_made_from_a_matrix_at_hand(output: Output) -> None:
    list(run_cluster(output.folder, None, "pairwise", "2", "kmeans", 0))
    assert count(find_groupings(output, STUDY)) == {
        "vocabulary": 2,
        "manual": 4,
        "pairwise": 2,
    }


def test_gains_without_structure_leave_three_groups_to_the_others(output: Output) -> None:
    cluster(RelevanceMatrix.read(output.pairwise), 1).write(output.groups)
    assert count(find_groupings(output, STUDY)) == {
        "vocabulary": 3,
        "manual": 4,
        "pairwise": 1,
    }


def test_groups_of_a_published_table_do_not_pass_for_measured_ones(output: Output) -> None:
    list(run_cluster(output.folder, None, "paper:table3", "4", "kmeans", 0))
    found = find_groupings(output, STUDY)
    assert count(found) == {"vocabulary": 3, "manual": 4, "pairwise": 3, "paper-table3": 4}
    assert (
        found.groups["pairwise"].partition
        == cluster(RelevanceMatrix.read(output.pairwise), 3).partition
    )


def test_groups_of_gains_that_have_changed_since_have_a_name_of_their_own(output: Output) -> None:
    list(run_cluster(output.folder, None, "pairwise", "2", "kmeans", 0))
    groups = Groups.read(output.groups)
    load_reference("paper:table3").select(NAMES).write(output.pairwise)
    found = find_groupings(output, STUDY)
    assert found.groups[f"pairwise-{groups.origin['matrix']}"] == Groups.read(output.groups)
    assert len(found.groups["pairwise"].groups) == 3


def test_groups_written_by_hand_are_among_them(output: Output) -> None:
    Groups({"a": tuple(NAMES[:6]), "b": tuple(NAMES[6:])}).write(output.groups)
    expected = {"vocabulary": 3, "manual": 4, "pairwise": 3, "groups": 2}
    assert count(find_groupings(output, STUDY)) == expected


@pytest.mark.parametrize("source", [None, "vocab", "pairwise", "no.csv"])
def test_where_there_is_nothing_to_group_no_folder_is_made(
    tmp_path: Path, source: str | None
) -> None:
    with pytest.raises(InputError, match="does not exist"):
        list(run_cluster(tmp_path / "nowhere", None, source, "2", None, 0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("k", "method", "seed"),
    [("99", None, 0), ("2", "no-such", 0), ("2", None, 2**63), ("2", None, -1), ("few", None, 0)],
)
def test_what_is_refused_leaves_no_folder(
    tmp_path: Path, k: str, method: str | None, seed: int
) -> None:
    with pytest.raises(InputError):
        list(run_cluster(tmp_path / "nowhere", None, "paper:table3", k, method, seed))
    assert list(tmp_path.iterdir()) == []


def test_a_demo_refuses_a_seed_that_fits_into_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seed"):
        list(run_demo(tmp_path / "demo", 2**63, 1))
    assert list(tmp_path.iterdir()) == []


def test_the_largest_seed_is_taken(tmp_path: Path) -> None:
    assert list(run_cluster(tmp_path / "out", None, "paper:table3", "3", None, 2**63 - 1))
