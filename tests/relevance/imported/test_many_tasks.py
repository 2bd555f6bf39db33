"""A result set of the size of a published one: 22 tasks, each beside each other one, in five seeds.

No table of that size in seeds can be had here, so one is drawn: targets gain by an effect of the
source, one of a family, and noise of seeds.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from hmnet.folder.outputs import Output
from hmnet.study.hierarchy import Groups
from relevance.cli import app
from relevance.matrices.matrix import RelevanceMatrix

pytestmark = pytest.mark.slow

SIZE, SEEDS, FAMILIES = 22, 5, 2
NAMES = [f"task{i:02d}" for i in range(SIZE)]
NOISE = 0.004


def draw_truth(rng: np.random.Generator) -> np.ndarray:
    """Return gains in score: +.05 within a family, -.03 across, and what a source gives anyone."""
    family = np.arange(SIZE) % FAMILIES
    within = family[:, None] == family
    return np.where(within, 0.05, -0.03) + rng.normal(0, 0.005, SIZE)[:, None]


def draw_scores(truth: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Return a row per target, partner and seed; an empty partner is the task alone."""
    base = rng.uniform(0.6, 0.85, SIZE)
    rows = []
    for seed in range(SEEDS):
        for j, target in enumerate(NAMES):
            rows.append((target, "", seed, base[j] + rng.normal(0, NOISE)))
            rows += [
                (target, NAMES[i], seed, base[j] + truth[i, j] + rng.normal(0, NOISE))
                for i in range(SIZE)
                if i != j
            ]
    return pd.DataFrame(rows, columns=["target", "partner", "seed", "score"])


def run(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `scores.csv`, the truth as a matrix, and what was imported in `out`."""
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(0)
    truth = draw_truth(rng)
    scores = draw_scores(truth, rng)
    assert len(scores) == SEEDS * SIZE * SIZE
    scores.to_csv(folder / "scores.csv", index=False)
    np.fill_diagonal(truth, 0)
    wide = pd.DataFrame(truth, NAMES, NAMES).rename_axis("gain fraction")
    wide.to_csv(folder / "truth.csv")
    run("import", folder / "scores.csv", "--out", folder / "out")
    return folder


def test_every_gain_has_an_interval_and_most_of_them_hold_the_truth(folder: Path) -> None:
    table = RelevanceMatrix.read(Output(folder / "out").pairwise).table
    table = table[table["source"] != table["target"]]
    assert len(table) == SIZE * (SIZE - 1)
    assert table[["ci_low", "ci_high", "p_value", "q_value"]].notna().all().all()
    truth = pd.read_csv(folder / "truth.csv", index_col=0)
    signs = [
        np.sign(truth.loc[s, t]) for s, t in zip(table["source"], table["target"], strict=True)
    ]
    sure = table["q_value"] < 0.05
    assert sure.mean() > 0.95
    assert (np.sign(table["value"]) == signs)[sure].all()


def test_no_group_holds_tasks_of_two_families(folder: Path) -> None:
    said = run("cluster", "--k", "auto", "--out", folder / "out", "--json")
    groups = Groups.read(Output(folder / "out").groups)
    families = [set(NAMES[i::FAMILIES]) for i in range(FAMILIES)]
    assert sorted(groups.tasks) == NAMES
    for members in groups.groups.values():
        assert any(set(members) <= family for family in families)
    assert json.loads(said)["groups"] == {k: list(v) for k, v in groups.groups.items()}


def test_it_is_compared_with_another_table_and_reported(folder: Path) -> None:
    said = run("compare", folder / "scores.csv", folder / "truth.csv", "--out", folder / "out")
    assert "rank" in said
    run("report", "--out", folder / "out")
    page = (folder / "out" / "report.html").read_text()
    assert all(name in page for name in NAMES)


def test_a_table_of_more_sources_than_targets_is_compared_and_grouped(folder: Path) -> None:
    truth = pd.read_csv(folder / "truth.csv", index_col=0)
    truth[NAMES[:-1]].to_csv(folder / "wide.csv")  # 22 sources, 21 targets
    run("compare", folder / "scores.csv", folder / "wide.csv")
    out = folder / "wide"
    said = run("cluster", "--matrix", folder / "wide.csv", "--k", FAMILIES, "--out", out)
    assert NAMES[0] in said
