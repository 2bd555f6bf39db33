"""The paper's tables and groups, and the manual design."""

from __future__ import annotations

import numpy as np
import pytest

from hmnet.errors import InputError
from hmnet.study.tasks import PAPER_TASKS, Task
from relevance.matrices.manual import make_manual_groups, make_manual_matrix
from relevance.matrices.reference import REFERENCES, load_published_groups, load_reference


@pytest.mark.parametrize("name", REFERENCES)
def test_tables_hold_the_papers_tasks_in_the_papers_order(name: str) -> None:
    assert load_reference(name).tasks == tuple(PAPER_TASKS)


def test_cells_are_fractions_from_source_to_target() -> None:
    vocabulary = load_reference("paper:table2").to_frame()
    assert vocabulary.loc["mnli", "qnli"] == pytest.approx(0.9283)  # printed 92.83
    assert vocabulary.loc["qnli", "mnli"] == pytest.approx(0.9440)
    assert (np.diag(vocabulary) == 1.0).all()
    assert vocabulary.to_numpy().min() > 0
    gains = load_reference("paper:table3").to_frame()
    assert gains.loc["mnli", "wnli"] == pytest.approx(0.50)  # printed 50.00
    assert gains.loc["sst2", "imdb"] == pytest.approx(-0.0424)
    assert (np.diag(gains) == 0.0).all()


def test_tables_name_their_measure_and_have_no_uncertainty() -> None:
    assert load_reference("paper:table2").measure == "vocabulary"
    table3 = load_reference("paper:table3")
    assert table3.measure == "pairwise"
    assert table3.provenance["reference"] == "paper:table3"
    assert table3.table["ci_low"].isna().all()


def test_vocabulary_shares_of_one_pair_give_the_ratio_of_vocabulary_sizes() -> None:
    # equation 2: M[s, t] |V_t| = |V_s & V_t| = M[t, s] |V_s|, so around any triangle the ratios
    # multiply to 1, up to the two printed decimals
    m = load_reference("paper:table2").to_frame().to_numpy()
    ratio = m / m.T
    triangles = np.einsum("ij,jk,ki->ijk", ratio, ratio, ratio)
    assert np.abs(triangles - 1).max() < 0.005


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("table2_data_property", [6, 5, 2]),
        ("table3_model_based", [5, 4, 4]),
        ("manual_design", [6, 3, 2, 2]),
    ],
)
def test_published_groups_are_partitions_of_the_tasks(name: str, sizes: list[int]) -> None:
    groups = load_published_groups(name)
    groups.check_tasks(PAPER_TASKS)
    assert [len(tasks) for tasks in groups.groups.values()] == sizes
    assert groups.origin["method"] == "published"


def test_categories_of_the_tasks_are_the_papers_manual_design() -> None:
    groups = make_manual_groups(PAPER_TASKS.values())
    assert groups.partition == load_published_groups("manual_design").partition
    assert groups.groups["sentiment classification"] == ("imdb", "sst2")
    assert groups.origin == {"method": "manual", "k": 4}


def test_the_manual_matrix_is_one_within_a_category() -> None:
    labels = ("no", "yes")
    one, two = (Task(name=n, text=("t",), labels=labels, category="x") for n in ("one", "two"))
    three = Task(name="three", text=("t",), labels=labels, category="y")
    matrix = make_manual_matrix([one, three, two])
    assert matrix.measure == "manual"
    assert matrix.tasks == ("one", "three", "two")
    assert matrix.to_frame().to_numpy().tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    assert make_manual_groups([one, three, two]).groups == {"x": ("one", "two"), "y": ("three",)}


def test_unknown_names_get_the_closest_known_ones() -> None:
    with pytest.raises(InputError, match="Did you mean `paper:table"):
        load_reference("paper:tabel2")
    with pytest.raises(InputError, match="Did you mean `manual_design`"):
        load_published_groups("manual")
