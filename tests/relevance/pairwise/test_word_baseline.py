"""A single run that words alone beat is told of; what words score is measured once for rows."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from tiny_study import write_study
from typer.testing import CliRunner

import relevance.pairwise.word_baseline as word_baseline
from hmnet.folder.outputs import open_output
from hmnet.jobs.prepared import prepare_study
from hmnet.jobs.progress_line import SweepProgress
from hmnet.jobs.worker_process import Outcome
from hmnet.study.study import resolve_study
from relevance.cli import app
from relevance.pairwise.word_baseline import WordBaseline, read_baseline
from reports.html import write_report

pytestmark = pytest.mark.usefixtures("in_this_process")


def test_a_run_that_words_beat_is_described_and_another_is_not() -> None:
    baseline = WordBaseline({"rte": 0.73})
    said = baseline.describe("rte", 0.35, 2)
    assert said.startswith("rte alone, seed 2: 0.350, no more than TF-IDF")
    assert "(0.730)" in said
    assert baseline.describe("rte", 0.74, 2) == ""
    assert baseline.describe("tags", 0.1, 0) == ""  # no linear model on a text learns it


def test_progress_says_it_when_the_run_ends(tmp_path: Path) -> None:
    stream = io.StringIO()
    progress = SweepProgress(tmp_path / "p.json", stream, {"rte-s0": "too little"}.get)  # type: ignore[arg-type]
    progress.start(2, 0, 2.0)
    progress.finish(Outcome("rte-s0", "done"), 1.0)
    progress.finish(Outcome("rte-mnli-s0", "done"), 1.0)
    assert stream.getvalue().count("too little") == 1


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


def test_it_is_measured_once_for_the_rows_of_a_task(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = open_output(tmp_path / "out")
    prepared = prepare_study(resolve_study(output.folder, study), output.data)
    first = read_baseline(output, prepared)
    assert set(first.scores) == {"tone", "match", "grade"}
    monkeypatch.setattr(word_baseline, "score_tfidf", lambda data: pytest.fail("measured again"))
    assert read_baseline(output, prepared) == first
    monkeypatch.setattr(word_baseline, "score_tfidf", lambda data: 0.5)
    fewer = resolve_study(output.folder, study, {"rows.max_train": 24})
    assert set(read_baseline(output, prepare_study(fewer, output.data)).scores.values()) == {0.5}
    assert len(pd.read_parquet(output.word_baseline)) == 6


def test_check_the_sweep_and_the_report_name_it(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_baseline, "score_tfidf", lambda data: 0.999)
    fixed = ["--tasks", "tone,match", "--study", str(study), "--out", str(tmp_path / "out")]
    said = CliRunner().invoke(app, ["check", *fixed]).stdout
    assert said.count("TF-IDF with a linear model scores 0.999") == 2
    done = CliRunner().invoke(app, ["pairwise", *fixed])
    assert "that do not beat TF-IDF with a linear model (score, TF-IDF): tone" in done.stdout
    assert "match alone, seed 0:" in done.stderr
    page = write_report(tmp_path / "out").read_text()
    assert "do not beat TF-IDF with a linear model" in page
    assert "99.9" in page
