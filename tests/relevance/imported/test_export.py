"""What this package's own runs leave goes out as tables, and comes in again as the same numbers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from tiny_study import write_study
from typer.testing import CliRunner

from hmnet.errors import InputError
from hmnet.folder.outputs import Output, open_output
from hmnet.jobs.workers import Workers
from hmnet.planted import PLANTED_DATA, PLANTED_TRAINING, write_planted
from hmnet.study.study import Study, resolve_study
from relevance.cli import app
from relevance.imported.exported import ExportOptions, write_export
from relevance.imported.imported_results import load_results
from relevance.matrices.matrix import RelevanceMatrix
from relevance.pairwise.sweep import run_sweep

pytestmark = pytest.mark.usefixtures("in_this_process")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, in_this_process: None) -> Output:
    """A sweep of a classification and a regression, two seeds each: 6 runs."""
    folder = tmp_path_factory.mktemp("swept")
    output = open_output(folder / "out")
    changes = {"seeds": [0, 1], "tasks": ["match", "grade"], "training.epochs": 4}
    run_sweep(
        output,
        resolve_study(output.folder, write_study(folder), changes),
        Workers.choose(workers=1),
    )
    return output


def test_predictions_that_went_out_come_in_as_the_same_matrix(
    swept: Output, tmp_path: Path
) -> None:
    write_export(swept, tmp_path / "tables", ExportOptions(predictions=True))
    again = load_results(tmp_path / "tables" / "predictions.csv").matrix
    own = RelevanceMatrix.read(swept.pairwise)
    pd.testing.assert_frame_equal(
        again.select(own.tasks).table.drop(columns="undefined"),
        own.table.drop(columns="undefined"),
        rtol=1e-6,
    )


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory, in_this_process: None) -> Output:
    """A sweep of tags and a classification of the planted suite, two seeds each: 6 runs."""
    folder = tmp_path_factory.mktemp("tagged")
    planted = write_planted(folder / "p", 0, train_rows=32, dev_rows=40, all_kinds=True)
    names = ("opinions-coast", "sentiment-coast")
    study = Study(
        tasks={name: planted.tasks[name] for name in names},
        model=str(planted.encoder),
        data_folder=planted.data,
        training=dataclasses.replace(PLANTED_TRAINING, epochs=3),
        rows=PLANTED_DATA,
        seeds=(0, 1),
    )
    output = open_output(folder / "out")
    run_sweep(output, study, Workers.choose(workers=1))
    return output


def test_predictions_of_words_come_in_as_the_same_matrix(tagged: Output, tmp_path: Path) -> None:
    write_export(tagged, tmp_path / "tables", ExportOptions(predictions=True))
    frame = pd.read_csv(tmp_path / "tables" / "predictions.csv", keep_default_na=False)
    words = frame[frame["metric"] == "entity_f1"]
    assert set(words["label"]) <= {"O", *(f"{b}-{t}approval" for b in "BI" for t in ("", "dis"))}
    assert words.groupby(["partner", "seed"])["question"].nunique().tolist() == [40] * 4
    again = load_results(tmp_path / "tables" / "predictions.csv").matrix
    own = RelevanceMatrix.read(tagged.pairwise)
    assert set(own.table["n_dev"].dropna()) == {40}  # sentences, not words
    pd.testing.assert_frame_equal(
        again.select(own.tasks).table.drop(columns="undefined"),
        own.table.drop(columns="undefined"),
        rtol=1e-6,
    )


def test_scores_that_went_out_come_in_as_the_same_gains(swept: Output, tmp_path: Path) -> None:
    words = ["export-scores", "--to", str(tmp_path / "t"), "--out", str(swept.folder)]
    assert CliRunner().invoke(app, words).exit_code == 0
    frame = pd.read_csv(tmp_path / "t" / "scores.csv")
    assert list(frame.columns) == ["target", "partner", "seed", "score", "metric", "n_dev"]
    assert set(frame["metric"]) == {"accuracy", "correlation"}
    assert set(frame["n_dev"]) == {24}
    again = load_results(tmp_path / "t" / "scores.csv").matrix
    own = RelevanceMatrix.read(swept.pairwise)
    ours, theirs = own.to_frame(), again.select(own.tasks).to_frame()
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-9)
    matrix = load_results(tmp_path / "t" / "matrix.csv").matrix
    assert matrix.to_frame().loc["match", "grade"] == pytest.approx(ours.loc["match", "grade"])


def test_an_export_never_writes_over_a_file_and_needs_gains(swept: Output, tmp_path: Path) -> None:
    write_export(swept, tmp_path / "t", ExportOptions("parquet"))
    (tmp_path / "t" / "scores.parquet").write_bytes(b"somebody's")
    with pytest.raises(InputError, match=r"should be a folder without another scores\.parquet"):
        write_export(swept, tmp_path / "t", ExportOptions("parquet"))
    assert (tmp_path / "t" / "scores.parquet").read_bytes() == b"somebody's"
    with pytest.raises(InputError, match=r"one of \['csv', 'parquet'\][\s\S]*measured gains"):
        write_export(Output(tmp_path), tmp_path / "u", ExportOptions("xlsx"))
    assert not (tmp_path / "u").exists()


def test_an_export_that_was_cut_off_is_completed(swept: Output, tmp_path: Path) -> None:
    scores, matrix = write_export(swept, tmp_path / "t")
    whole = matrix.read_bytes()
    matrix.unlink()
    write_export(swept, tmp_path / "t")
    assert matrix.read_bytes() == whole
    assert scores.exists()


def test_imported_scores_go_out_as_they_came(tmp_path: Path) -> None:
    rows = "target,partner,seed,score,metric,n_dev\n"
    rows += "a,,0,0.7,accuracy,100\na,b,0,0.75,accuracy,100\nb,,0,0.6,f1,\nb,a,0,0.55,f1,\n"
    (tmp_path / "s.csv").write_text(rows)
    load_results(tmp_path / "s.csv").write(Output(tmp_path))
    write_export(Output(tmp_path), tmp_path / "t")
    assert (tmp_path / "t" / "scores.csv").read_text() == rows
    with pytest.raises(InputError, match="whose gains were imported"):
        write_export(Output(tmp_path), tmp_path / "u", ExportOptions(predictions=True))
