"""Scores in a frame are read as a file of them is; a study of a folder is written once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hmnet import Study
from hmnet.errors import InputError
from relevance import Grouper, KMeansGrouper, RelevanceMatrix, load_reference
from relevance.imported.imported_results import load_results

ROWS = [
    ("a", None, 0, 70.0), ("a", None, 1, 72.0), ("a", "b", 0, 77.0), ("a", "b", 1, 78.0),
    ("b", None, 0, 50.0), ("b", None, 1, 50.5), ("b", "a", 0, 49.0), ("b", "a", 1, 48.0),
]  # fmt: skip
FRAME = pd.DataFrame(ROWS, columns=["target", "partner", "seed", "score"])


def test_a_frame_gives_what_its_file_gives(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "scores.csv", index=False)
    there = load_results(tmp_path / "scores.csv").matrix
    matrix = RelevanceMatrix.from_scores(FRAME)
    pd.testing.assert_frame_equal(matrix.table, there.table)
    # a alone: mean of 70 and 72; with b: of 77 and 78
    assert matrix.to_frame().loc["b", "a"] == pytest.approx((77.5 - 71) / 71)


def test_losses_are_declared_and_faults_are_said() -> None:
    lower = RelevanceMatrix.from_scores(
        FRAME.assign(score=FRAME["score"] / 100), lower_is_better=True
    )
    assert lower.to_frame().loc["b", "a"] == pytest.approx(-6.5 / 71)
    with pytest.raises(InputError, match="alone"):
        RelevanceMatrix.from_scores(FRAME[FRAME["partner"].notna()])


def test_a_grouper_by_itself_is_the_paper_s() -> None:
    gains = load_reference("paper:table3")
    plain, named = Grouper(k=3).fit(gains), KMeansGrouper(k=3).fit(gains)
    assert np.array_equal(plain.labels_, named.labels_)
    assert plain.groups_.origin["method"] == "kmeans"


def test_a_folder_s_study_is_written_once_and_then_read(tmp_path: Path) -> None:
    rows = {"message": [f"the printer {i} is broken" for i in range(40)]}
    pd.DataFrame({**rows, "team": ["it", "office"] * 20}).to_csv(
        tmp_path / "tickets.csv", index=False
    )
    study = Study.from_folder(tmp_path)
    assert study.tasks["tickets"].labels == ("it", "office")
    file = tmp_path / "study.toml"
    assert "Study.from_folder" in file.read_text()
    file.write_text(file.read_text().replace("seeds = [0, 1, 2]", "seeds = [7]"))
    assert Study.from_folder(str(tmp_path)).seeds == (7,)
