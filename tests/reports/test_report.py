"""The report as text: right numbers, right words, from any part of a study; safe and the same."""

from __future__ import annotations

import base64
import io
import itertools
import json
import math
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT
from report_fixture import (
    Made,
    make_many,
    make_spec,
    make_study,
    write_combination_sweep,
    write_comparison,
    write_everything,
    write_failures,
    write_groups,
    write_layer_sweep,
    write_pairwise,
    write_planted,
    write_run,
    write_runs,
    write_vocabulary,
)

from hmnet.data.notes import write_notes
from hmnet.errors import InputError, OutputFolderError
from hmnet.runs.result import RESULT_SCHEMA, read_result
from hmnet.storage.documents import write_document
from hmnet.storage.tables import write_table
from hmnet.study.hierarchy import Groups, HierarchySpec
from relevance.matrices.comparison import measure_rank_agreement
from relevance.matrices.gain_table import tabulate_gains
from relevance.matrices.matrix import RelevanceMatrix
from relevance.systems.comparison_format import COMPARISON
from reports.html import render_report, write_report
from reports.inputs.loss_curves import read_curves
from reports.inputs.report_inputs import ReportInputs, read_inputs
from reports.inputs.run_index import read_runs
from reports.inputs.score_table import arrange_scores, label_system
from reports.page.downloads import link_csv, write_csv
from reports.style.formatting import (
    clean,
    format_interval,
    format_number,
    format_percent,
    format_probability,
    join_words,
)
from reports.tables.matrix_table import build_heat
from reports.tables.task_order import order_tasks
from reports.words.answer import summarise_report
from reports.words.cautions import find_cautions, list_tasks_at_majority
from reports.words.finding import Finding
from reports.words.group_stability import read_stability
from reports.words.next_steps import in_folder, plan_next

EVIL = "<script>alert(1)</script>"
INLINE = {"a", "b", "code", "em", "i", "span", "strong"}
VOID = {"meta", "link", "br", "hr", "img", "input", "path", "use", "rect"}


class Page(HTMLParser):
    """Reads a page: its tags in order, their attributes, its visible text and its links."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.words.append("" if tag in INLINE else " ")
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).replace("\u00a0", " ").split())

    def values(self, name: str) -> list[str]:
        return [value for _, key, value in self.attributes if key == name]


def say(finding: Finding | object) -> str:
    """Return a finding's answer and evidence, or any piece of HTML, as plain text."""
    if isinstance(finding, Finding):
        finding = " ".join([str(finding.answer), *map(str, finding.evidence)])
    return Page(str(finding)).text


def ask(inputs: ReportInputs, key: str) -> Finding:
    return next(f for f in summarise_report(inputs).findings if f.key == key)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = make_study(tmp_path_factory.mktemp("full") / "study")
    made.out.mkdir()
    write_everything(made)
    return made


@pytest.fixture(scope="module")
def inputs(made: Made) -> ReportInputs:
    return read_inputs(made.out)


@pytest.fixture(scope="module")
def html(inputs: ReportInputs) -> str:
    return render_report(inputs)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def gains_of(values: list[list[float]], **columns: object) -> ReportInputs:
    """Return inputs that hold only gains of the tasks a, b, c, ..."""
    tasks = list("abcdefgh"[: len(values)])
    matrix = RelevanceMatrix.from_array(values, tasks, "pairwise", **columns)  # type: ignore[arg-type]
    return ReportInputs("relevance-out", pairwise=matrix)


# --- the whole page ---------------------------------------------------------------------------


def test_the_page_is_whole_small_and_self_contained(html: str, page: Page) -> None:
    assert page.unbalanced == []
    assert page.open == []
    assert len(html.encode()) < 5_000_000
    for name in ("src", "href", "xlink:href", "action", "srcset", "poster"):
        for value in page.values(name):
            assert value.startswith(("#", "data:")), value
    assert not re.findall(r"@import|url\((?!#)", html)


def test_identifiers_are_unique_and_every_inner_link_has_its_target(page: Page) -> None:
    identifiers = page.values("id")
    assert max(Counter(identifiers).values()) == 1
    assert {v[1:] for v in page.values("href") if v.startswith("#")} <= set(identifiers)


def test_every_picture_has_a_text_alternative(page: Page) -> None:
    assert page.tags["svg"] >= 6
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(labels) == page.tags["svg"]
    assert min(map(len, labels)) > 30


def test_headings_never_skip_a_level(html: str) -> None:
    levels = [int(level) for level in re.findall(r"<h(\d)", html)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_the_same_inputs_give_the_same_bytes(made: Made, html: str, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / made.out.name
    shutil.copytree(made.out, copy)
    path = write_report(copy)
    assert path == copy / "report.html"
    assert path.read_bytes() == html.encode()


@pytest.mark.system
def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    made = make_many(tmp_path / "study", 4)
    write_vocabulary(made)
    write_groups(made, write_pairwise(made))
    write_comparison(made)
    here = write_report(made.out).read_bytes()
    (made.out / "report.html").unlink()
    call = f"write_report(Path({str(made.out)!r}))"
    code = f"from pathlib import Path; from reports.html import write_report; {call}"
    environment = {"PYTHONHASHSEED": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert (made.out / "report.html").read_bytes() == here


def test_the_page_tells_nothing_of_where_it_was_made(made: Made, html: str) -> None:
    assert str(made.out.parent) not in html


def test_every_gain_on_the_page_is_the_tables(made: Made, html: str) -> None:
    matrix = RelevanceMatrix.read(made.out / "pairwise.parquet")
    table = html[html.index('id="pairwise"') : html.index("</table>", html.index('id="pairwise"'))]
    stories = [Page(f"<i>{label}</i>").text for label in re.findall(r'aria-label="([^"]+)"', table)]
    found = {}
    for story in stories:
        match = re.search(r"(\S+) trained with (\S+): ([+−]?[\d.]+) %", story)
        if match:
            found[match[2], match[1]] = (float(match[3].replace("−", "-")), story)
    away = matrix.table[matrix.table["source"] != matrix.table["target"]]
    assert len(found) == len(away) == 156
    for row in away.itertuples():
        value, story = found[row.source, row.target]
        assert value == pytest.approx(100 * row.value, abs=0.00501)
        assert f"{row.n_dev:,.0f} dev examples" in story
        assert "3 runs" in story
        assert ("beyond noise" in story) == (row.q_value < 0.05)
        assert format_interval(row.ci_low, row.ci_high, 2).replace("\u00a0", " ") in story


def test_each_cell_stands_in_its_source_s_row_and_its_target_s_column(
    inputs: ReportInputs,
) -> None:
    assert inputs.pairwise is not None
    wide = inputs.pairwise.to_frame()
    for groups in (None, inputs.groups):
        table = build_heat(inputs.pairwise, groups)
        for row, cells in zip(table.sides, table.rows, strict=True):
            for column, cell in zip(table.sides, cells, strict=True):
                if row.name == column.name:
                    assert cell.text == ""
                    continue
                assert cell.details.startswith(f"{column.name} trained with {row.name}: ")
                value = wide.loc[row.name, column.name]
                assert cell.text == format_percent(value, signed=True, unit="")


def test_every_score_on_the_page_is_the_tables(made: Made, html: str) -> None:
    frame = pd.read_parquet(made.out / "compare.parquet")
    table = html[html.index('id="scores"') : html.index("</table>", html.index('id="scores"'))]
    rows = re.findall(r'<th scope="row">([^<]+)</th>(.*?)</tr>', table, flags=re.DOTALL)
    means = frame.groupby(["task", "system"], sort=False)["score"].mean()
    for task, cells in rows[:14]:
        shown = [float(text) for text in re.findall(r">([\d.]+)</td>", cells)]
        expected = means[task.lower()].to_numpy() * 100
        assert shown == pytest.approx(expected, abs=0.0501)


def test_data_links_hold_the_tables_with_every_digit(made: Made, page: Page) -> None:
    names = {"pairwise.csv": "pairwise.parquet", "compare.csv": "compare.parquet"}
    links = dict(zip(page.values("download"), _data_links(page), strict=True))
    for name, file in names.items():
        content = base64.b64decode(links[name].partition("base64,")[2])
        found = pd.read_csv(io.BytesIO(content))
        expected = pd.read_parquet(made.out / file)
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-14)


def _data_links(page: Page) -> list[str]:
    return [value for tag, name, value in page.attributes if (tag, name) == ("a", "href")
            and value.startswith("data:")]  # fmt: skip


def test_failed_and_unfinished_runs_are_shown(page: Page) -> None:
    assert "became nan at step 3" in page.text
    assert "1 under way (or killed without a trace), 1 begun and not finished" in page.text


def test_the_tasks_data_are_a_table_of_task_and_split(page: Page) -> None:
    assert "boolq family 1 train 2 2,000 27 61 1.20 % accuracy, f1" in page.text
    assert "boolq family 1 validation 2 3,270 27 61 1.20 % accuracy, f1" in page.text
    assert "stsb family 2 train a number 2,000" in page.text
    assert "#tasks" in page.values("href")


def test_without_a_table_of_tasks_there_is_no_such_part() -> None:
    page = Page(render_report(gains_of([[0, 0.1], [-0.2, 0]])))
    assert "tasks" not in page.values("id")
    assert "#tasks" not in page.values("href")


def test_provenance_is_on_the_page(page: Page) -> None:
    for part in (
        "all-MiniLM-L6-v2",
        "c9745ed1",
        "torch 2.13.0",
        "learning rate 2e-05",
        "0, 1, 2",
        "relevance tasks --out study",
        "relevance pairwise --seeds 3 --out study",
        "hmnet sweep --tasks boolq,mnli --shared 0,2,6 --seeds 3 --out study",
        "hmnet sweep --hierarchies '3,2,1;4,1,1' --seeds 3 --out study",
        "relevance attention --all-pairs --out study",
        "relevance attention --pair mrpc,rte --pair qqp,rte --out study",
        'schema = "study/1"',
    ):
        assert part in page.text


# --- any part of a study ----------------------------------------------------------------------


def _nothing(made: Made) -> None:
    made.out.mkdir(parents=True, exist_ok=True)


def _one_seed(made: Made) -> None:
    write_pairwise(made, seeds=1, tested=False)


def _groups_only(made: Made) -> None:
    Groups({"1": made.tasks[:5], "2": made.tasks[5:]}, {"method": "manual", "k": 2}).write(
        made.out / "groups.json"
    )


PARTS = {
    "nothing": (_nothing, ["relevance vocab", "relevance pairwise", "hmnet compare"]),
    "vocabulary": (write_vocabulary, ["relevance pairwise", "relevance cluster --k 3"]),
    "one seed": (_one_seed, ["relevance pairwise --seeds 3", "relevance cluster --k auto"]),
    "groups": (_groups_only, ["relevance vocab", "hmnet train --groups"]),
    "failures": (write_failures, ["relevance pairwise"]),
    "scores": (write_comparison, ["relevance pairwise"]),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_a_study_gives_a_report_that_names_the_next_commands(
    tmp_path: Path, part: str
) -> None:
    write, commands = PARTS[part]
    made = make_study(tmp_path / "relevance-out")
    write(made)  # type: ignore[operator]
    page = Page(write_report(made.out).read_text(encoding="utf-8"))
    assert page.unbalanced == []
    for command in commands:
        assert command in page.text
    assert "--out" not in page.text  # the default folder needs none


@pytest.mark.system
@pytest.mark.parametrize("count", [2, 3, 50])
def test_few_tasks_and_many_give_a_whole_report(tmp_path: Path, count: int) -> None:
    made = make_many(tmp_path / "study", count)
    write_vocabulary(made)
    write_groups(made, write_pairwise(made), stability=None)
    write_comparison(made)
    text = write_report(made.out).read_text(encoding="utf-8")
    page = Page(text)
    assert page.unbalanced == []
    assert f"{count} tasks" in page.text
    assert len(text) < 6_000_000


def test_a_single_task_gives_a_report(tmp_path: Path) -> None:
    made = make_many(tmp_path / "study", 1)
    write_vocabulary(made)
    write_pairwise(made)
    assert "1 task" in Page(render_report(read_inputs(made.out))).text


def test_gaps_in_a_matrix_are_shown_as_gaps(tmp_path: Path) -> None:
    inputs = gains_of([[0.0, math.nan], [0.1, 0.0]])
    page = Page(render_report(inputs))
    assert "1 of 2 gains have no value" in page.text
    assert any("a" in label and "no result yet" in label for label in page.values("aria-label"))


@pytest.mark.parametrize(
    "name",
    ["vocab.parquet", "pairwise.parquet", "groups.json", "compare.parquet", "clusters.parquet",
     "planted.json", "stability.parquet", "attention/x.parquet", "tasks.parquet",
     "sweep-layers.parquet", "sweep-combinations.parquet"],
)  # fmt: skip
def test_a_broken_file_becomes_a_sentence_and_costs_nothing_else(tmp_path: Path, name: str) -> None:
    made = make_study(tmp_path / "study")
    write_vocabulary(made)
    path = made.out / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"not what it says")
    inputs = read_inputs(made.out)
    assert len(inputs.problems) == 1
    assert inputs.problems[0].startswith(path.name)
    assert "could not be read" in Page(render_report(inputs)).text


def test_text_in_place_of_numbers_becomes_a_sentence(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    frame = pd.DataFrame([["mnli", "many", 0, 0.8]], columns=["task", "shared", "seed", "score"])
    write_table(made.out / "sweep-layers.parquet", frame, "sweep-layers/1", {})
    inputs = read_inputs(made.out)
    assert inputs.layer_sweep is None
    assert inputs.problems == (
        "sweep-layers.parquet: the columns ['shared', 'seed', 'score'] should hold numbers.",
    )


def test_a_broken_run_becomes_a_sentence(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    folder = write_run(made, ["rte"], 0)
    (folder / "result.json").write_text("{}", encoding="utf-8")
    write_run(made, ["cb"], 0)
    index = read_runs(made.out / "runs")
    assert [record.spec.names for record in index.done] == [("cb",)]
    assert "schema" in index.problems[0]


def test_a_run_with_an_edited_score_becomes_a_sentence_and_no_score(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    path = write_run(made, ["rte"], 0) / "result.json"
    signed = replace(read_result(path), primary={"rte": 0.6}).sign()
    write_document(path, RESULT_SCHEMA, signed)
    assert read_runs(made.out / "runs").done[0].result == signed
    path.write_text(path.read_text().replace("0.6", "0.99"))
    index = read_runs(made.out / "runs")
    assert index.done == ()
    assert "altered or cut short" in index.problems[0]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputFolderError, match="`out`"):
        write_report(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_focus_opens_a_task_and_refuses_an_unknown_one(made: Made, tmp_path: Path) -> None:
    copy = tmp_path / "study"
    shutil.copytree(made.out, copy, ignore=shutil.ignore_patterns("runs", "attention"))
    text = write_report(copy, focus="boolq").read_text(encoding="utf-8")
    assert re.search(r"<option [^>]*selected>boolq<", text)
    with pytest.raises(InputError, match=r"Found `boolk`.*boolq"):
        write_report(copy, focus="boolk")


def test_focus_on_a_task_without_gains_is_refused(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    write_vocabulary(made)
    write_report(made.out, focus="boolq")  # nothing is measured yet, so nothing else is shown
    write_pairwise(replace(made, tasks=tuple(task for task in made.tasks if task != "boolq")))
    said = r"^Parameter `focus` should be a task of the pairwise matrix\. Found `boolq`\."
    with pytest.raises(InputError, match=said):
        write_report(made.out, focus="boolq")


# --- the words --------------------------------------------------------------------------------


def test_the_worst_pair_is_the_one_that_loses_most_on_average() -> None:
    # means of both changes: a+b (-.06 + .02) / 2 = -.02, a+c (-.03 - .02) / 2 = -.025, b+c .05
    inputs = gains_of([[0, -0.06, -0.03], [0.02, 0, 0.05], [-0.02, 0.05, 0]])
    finding = ask(inputs, "losses")
    assert say(finding).startswith("c and a: trained together, c loses 3.0 % and a loses 2.0 %.")


def _q(*values: float) -> dict[str, np.ndarray]:
    grid = np.full((2, 2), math.nan)
    grid[0, 1], grid[1, 0] = values
    low = np.array([[math.nan, -0.06], [-0.05, math.nan]])
    return {"q_value": grid, "ci_low": low, "ci_high": low + 0.04}


@pytest.mark.parametrize(
    ("q", "said", "tone"),
    [
        ((0.001, 0.01), "Not noise: both changes are significant", "bad"),
        ((0.001, 0.4), "what happens to b is significant", "bad"),
        ((0.4, 0.001), "what happens to a is significant", "bad"),
        ((0.4, 0.6), "This may be noise: neither change can be told from zero", "doubt"),
    ],
)
def test_whether_the_worst_loss_is_noise_is_said(
    q: tuple[float, float], said: str, tone: str
) -> None:
    finding = ask(gains_of([[0, -0.04], [-0.03, 0]], **_q(*q)), "losses")
    assert said in say(finding)
    assert finding.tone == tone
    assert "b: −6.0 to −2.0 %" in say(finding)


def test_significance_without_the_noise_of_seeds_is_not_called_sure() -> None:
    tested = _q(0.001, 0.01)
    inputs = gains_of([[0, -0.04], [-0.03, 0]], n_seeds=np.ones((2, 2)), **tested)
    finding = ask(inputs, "losses")
    assert "Not known whether this is noise of seeds" in say(finding)
    assert finding.tone == "doubt"
    sure = gains_of([[0, -0.04], [-0.03, 0]], n_seeds=np.full((2, 2), 3.0), **tested)
    assert ask(sure, "losses").tone == "bad"
    assert sure.pairwise is not None
    told = RelevanceMatrix(
        sure.pairwise.table, "pairwise", {"bootstrap": {"seed_noise_included": False}}
    )
    assert ask(replace(sure, pairwise=told), "losses").tone == "doubt"
    assert "leave out the noise of seeds" in _cautions(replace(sure, pairwise=told))


def test_where_the_worst_loss_is_noise_the_largest_sure_one_is_named() -> None:
    values = [[0, -0.09, -0.01], [-0.09, 0, 0.0], [0.0, 0.0, 0]]
    q = np.full((3, 3), 0.9)
    assert "No loss in this study is beyond noise." in say(
        ask(gains_of(values, q_value=q), "losses")
    )
    q[0, 2] = 0.01
    inputs = gains_of(values, q_value=q)
    assert "The largest loss beyond noise: a hurts c by 1.0 %." in say(ask(inputs, "losses"))


def test_without_losses_nobody_is_accused() -> None:
    finding = ask(gains_of([[0, 0.04], [0.03, 0]]), "losses")
    assert say(finding).startswith("No pair loses on balance.")


def test_one_run_is_put_beside_the_size_of_the_dev_set(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    inputs = gains_of([[0, -0.1], [0.0, 0]], n_dev=np.full((2, 2), 71.0), n_seeds=np.ones((2, 2)))
    assert inputs.pairwise is not None
    renamed = inputs.pairwise.table.replace({"b": "wnli"})
    folder = write_run(made, ["wnli"], 0)
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    result["primary"]["wnli"] = 0.5
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    inputs = replace(read_inputs(made.out), pairwise=RelevanceMatrix(renamed, "pairwise", {}))
    said = say(ask(inputs, "losses"))
    assert "Not known whether this is noise: each value comes from a single run." in said
    # 10 % of 0.5 is 5 points, of 71 examples 3.55; 1.96 sqrt(.5 * .5 / 71) = 11.63 points
    assert "about 4 examples of its 71 dev examples" in said
    assert "±11.6 points" in said


def test_only_sure_helpers_are_named_where_gains_are_tested() -> None:
    values = [[0, 0.9, 0.05], [0.04, 0, 0.03], [0.02, 0.01, 0]]
    q = np.full((3, 3), 0.01)
    q[0, 1] = 0.2
    said = say(ask(gains_of(values, q_value=q), "help"))
    assert said.startswith("a helps c by 5.0 %, b helps a by 4.0 % and b helps c by 3.0 %.")
    assert "5 of 6 gains are beyond noise (false discovery rate 5 %): 5 helpful, 0 harmful." in said
    assert "Not tested against noise" in say(ask(gains_of(values), "help"))


def test_the_best_partner_is_the_best_on_average() -> None:
    # row means: a (.10 - .02) / 2 = .04, b (.01 + .02) / 2 = .015, c (-.03 - .05) / 2 = -.04
    said = say(ask(gains_of([[0, 0.10, -0.02], [0.01, 0, 0.02], [-0.03, -0.05, 0]]), "help"))
    assert "a is the best on average (+4.0 %) and c the worst (−4.0 %)" in said


def scores_of(rows: dict[tuple[str, str], list[float]]) -> ReportInputs:
    """Return inputs that hold only scores: system and task to the scores of seeds 0, 1, ..."""
    frame = pd.DataFrame(
        [
            (system, task, seed, score, np.nan, np.nan, 1e6, 2e6)
            for (system, task), scores in rows.items()
            for seed, score in enumerate(scores)
        ],
        columns=list(COMPARISON.columns),
    )
    return ReportInputs("relevance-out", comparison=frame)


def test_the_gain_of_hmnet_is_paired_by_seed_with_an_interval() -> None:
    inputs = scores_of(
        {
            ("single-task", "x"): [0.70, 0.72, 0.74],
            ("multi-task", "x"): [0.71, 0.74, 0.75],
            ("hmnet-pairwise", "x"): [0.73, 0.75, 0.77],
        }
    )
    assert inputs.comparison is not None
    table = arrange_scores(inputs.comparison)
    difference = table.difference("hmnet-pairwise", "multi-task")
    assert difference is not None
    # differences 2, 1, 2 points: mean 5/3, deviation 1/sqrt(3), half width 4.3027 / 3 = 1.4342
    assert difference.value == pytest.approx(0.05 / 3)
    assert difference.low == pytest.approx((5 / 3 - 1.4342) / 100, abs=1e-6)
    assert difference.high == pytest.approx((5 / 3 + 1.4342) / 100, abs=1e-6)
    assert (difference.wins, difference.seeds, difference.is_clear) == (3, 3, True)
    finding = ask(inputs, "payoff")
    assert say(finding).startswith("Yes. On average over tasks, HMNet (pairwise groups) is 1.7 ")
    assert "1.7 points ahead of multi-task training and 3.0 points ahead of single-task" in say(
        finding
    )
    assert finding.tone == "good"


def _with_bootstrap(inputs: ReportInputs, low: float, high: float) -> ReportInputs:
    """Add the row without a seed that a paired bootstrap leaves, with its differences."""
    assert inputs.comparison is not None
    row = {
        "system": "hmnet-pairwise", "task": "average", "score": 0.75, "ci_low": 0.7, "ci_high": 0.8,
    } | {f"vs_{name}{end}": value for name in ("single", "multi")
         for end, value in (("", 0.02), ("_low", low), ("_high", high))}  # fmt: skip
    averages = [
        {"system": system, "task": "average", "seed": seed, "score": score}
        for system, scores in (("single-task", [0.72, 0.74]), ("multi-task", [0.73, 0.73]),
                               ("hmnet-pairwise", [0.74, 0.76]))
        for seed, score in enumerate(scores)
    ]  # fmt: skip
    return replace(inputs, comparison=pd.DataFrame([*averages, row]))


@pytest.mark.parametrize(
    ("low", "high", "verdict", "tone"),
    [(0.01, 0.03, "beyond", "good"), (-0.01, 0.05, "within", "doubt")],
)
def test_the_interval_of_a_paired_bootstrap_is_preferred(
    low: float, high: float, verdict: str, tone: str
) -> None:
    inputs = _with_bootstrap(scores_of({("single-task", "x"): [0.7]}), low, high)
    finding = ask(inputs, "payoff")
    interval = f"{100 * low:+.1f} to {100 * high:+.1f} points".replace("-", "−")
    assert (
        f"Against multi-task training: ahead in 2 of 2 seeds, 95 % interval {interval} over seeds "
        f"and dev examples: {verdict} noise." in say(finding)
    )
    assert finding.tone == tone


def test_a_loss_of_hmnet_is_said_as_plainly() -> None:
    inputs = scores_of(
        {
            ("single-task", "x"): [0.80],
            ("single-task", "y"): [0.60],
            ("multi-task", "x"): [0.80],
            ("multi-task", "y"): [0.66],
            ("hmnet-manual", "x"): [0.77],
            ("hmnet-manual", "y"): [0.62],
        }
    )
    said = say(ask(inputs, "payoff"))
    # averages: single .70, multi .73, hmnet .695
    assert said.startswith("No. On average over tasks, HMNet (manual groups) is 3.5 points behind")
    assert "0.5 points behind single-task training" in said
    assert "one seed, so noise is not known" in said
    assert "Behind single-task training by what may be noise on 1 of 2 tasks; most on x" in said
    assert "(−3.0) points." in said
    assert "Negative transfer" not in said  # one seed and no interval
    assert "flatters" not in said  # there was nothing to choose from


def test_a_system_without_all_tasks_has_no_average() -> None:
    inputs = scores_of({("single-task", "x"): [0.8], ("single-task", "y"): [0.6],
                        ("multi-task", "x"): [0.9]})  # fmt: skip
    assert inputs.comparison is not None
    table = arrange_scores(inputs.comparison)
    average = table.score("single-task", "average")
    assert average is not None
    assert average.value == pytest.approx(0.7)
    assert table.score("multi-task", "average") is None


def test_stability_compares_pairs_within_groups_and_across(tmp_path: Path) -> None:
    groups = Groups(
        {"1": ("a", "b"), "2": ("c",)}, {"method": "kmeans", "stability": {"share": 0.5}}
    )
    shares = pd.DataFrame(
        [[1, 0.9, 0.2], [0.9, 1, 0.1], [0.2, 0.1, 1]], index=list("abc"), columns=list("abc")
    )
    stability = read_stability(ReportInputs("x", groups=groups, together=shares))
    assert stability.inside == pytest.approx(0.9)
    assert stability.outside == pytest.approx(0.15)  # (.2 + .1) / 2
    assert stability.starts_frac == 0.5
    assert not stability.is_steady  # .9 - .15 = .75 is below .8
    assert not stability.is_shaky


def test_groups_without_resampling_are_not_called_stable(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    write_groups(made, write_pairwise(made), stability=None)
    finding = ask(read_inputs(made.out), "groups")
    assert "Not known how stable they are" in say(finding)
    assert finding.tone == "doubt"


def test_what_was_planted_is_shown_beside_what_was_found(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    write_groups(made, write_pairwise(made))
    write_planted(made, 0.84)
    page = Page(render_report(read_inputs(made.out)))
    assert "What was planted and what was found" in page.text
    assert "adjusted Rand index 0.84" in page.text
    write_planted(made, 1.0)
    assert "exactly the groups that were planted" in say(ask(read_inputs(made.out), "groups"))


def test_groups_from_another_matrix_are_called_so(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    write_groups(made, write_pairwise(made))
    assert "another pairwise matrix" not in _cautions(read_inputs(made.out))
    write_pairwise(made)  # the generator goes on: other values
    assert "another pairwise matrix" in _cautions(read_inputs(made.out))


def _cautions(inputs: ReportInputs) -> str:
    gains = tabulate_gains(inputs.pairwise) if inputs.pairwise is not None else None
    scores = arrange_scores(inputs.comparison) if inputs.comparison is not None else None
    return " ".join(say(caution) for caution in find_cautions(inputs, gains, scores))


def test_collapsed_runs_and_useless_tasks_are_called_so(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    write_run(made, ["wnli"], 0, collapsed=True)  # accuracy 56 %, two thirds have one label
    write_run(made, ["wnli", "rte"], 0)
    inputs = read_inputs(made.out)
    assert list_tasks_at_majority(inputs) == ["wnli"]
    assert "1 run collapsed: nothing was learned of wnli." in _cautions(inputs)
    assert "Trained alone, wnli does not beat the most frequent label." in _cautions(inputs)


def test_small_dev_sets_are_named_with_what_one_example_moves(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    write_pairwise(made)
    # 100 / 56 = 1.8, 100 / 71 = 1.4, 100 / 277 = 0.4
    said = "moves the score of cb (1.8 points), wnli (1.4 points) and rte (0.4 points)."
    assert said in _cautions(read_inputs(made.out))


# --- what to run ------------------------------------------------------------------------------


def test_the_next_command_follows_from_what_is_there(tmp_path: Path) -> None:
    made = make_study(tmp_path / "relevance-out")
    made.out.mkdir()

    def first() -> str:
        steps = plan_next(read_inputs(made.out))
        return steps[0].command if steps else ""

    assert first() == "relevance vocab"
    write_vocabulary(made)
    assert first() == "relevance pairwise"
    write_pairwise(made, seeds=1, tested=False)
    assert first() == "relevance pairwise --seeds 3"
    matrix = write_pairwise(made)
    assert first() == "relevance cluster --k auto"
    write_groups(made, matrix)
    assert first() == "hmnet train --groups relevance-out/groups.json"
    folder = write_run(made, made.tasks, 0, HierarchySpec(4, 1, 1), made.families)
    assert first() == "hmnet compare"
    write_comparison(made)
    assert first() == ""
    (folder / "model").mkdir()
    assert first() == f"hmnet export {folder.name} --task boolq --to my-model"


@pytest.mark.parametrize("name", ["demo-out", "my study", "a'; rm -rf b", "größe", "$HOME", "`a`"])
def test_a_shell_reads_a_folder_s_name_as_it_is(name: str) -> None:
    command = in_folder("relevance vocab", name)
    assert shlex.split(command) == ["relevance", "vocab", "--out", name]
    assert ("'" in command) == (name != "demo-out")


# --- runs -------------------------------------------------------------------------------------


def test_runs_are_told_apart_by_how_they_share(inputs: ReportInputs) -> None:
    counts = Counter(record.kind for record in inputs.runs.done)
    # 13 singles and 78 pairs of 3 seeds
    assert counts == {
        "single-task": 39, "pair": 234, "multi-task": 1, "skillnet": 1, "hierarchical": 1,
    }  # fmt: skip
    assert inputs.runs.seeds == [0, 1, 2]
    assert (len(inputs.runs.failed), inputs.runs.running, inputs.runs.unfinished) == (2, 1, 1)


@pytest.mark.parametrize(
    ("hierarchies", "tasks"), [(["4,1,1"], 2), (["4,1,1", "3,2,1"], 13), (["4,0,2", "2,0,4"], 5)]
)
def test_a_sweep_of_any_size_is_on_the_page(
    tmp_path: Path, hierarchies: list[str], tasks: int
) -> None:
    made = make_study(tmp_path / "study")
    write_combination_sweep(made, hierarchies)
    write_layer_sweep(made, made.tasks[:tasks], [4])
    inputs = read_inputs(made.out)
    assert inputs.combination_sweep is not None
    assert set(inputs.combination_sweep.rows["grouping"]) == {"manual", "pairwise"}
    page = Page(render_report(inputs))
    labels = " ".join(page.values("aria-label"))
    for hierarchy in hierarchies:
        assert f"manual {{{hierarchy}}}" in labels
    assert "multi-task 7" in labels
    assert all(f"{task}: 4 layers" in labels for task in made.tasks[:tasks])
    assert {"shared-layers.csv", "layer-combinations.csv"} <= set(page.values("download"))


def test_a_curve_averages_losses_over_stretches(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    folder = write_run(made, ["rte"], 0)
    lines = [{"step": i, "epoch": 0, "task": "rte", "loss": float(i)} for i in range(96)]
    text = "\n".join(map(json.dumps, lines)) + '\n{"step": 96, "ta'
    (folder / "metrics.jsonl").write_text(text, encoding="utf-8")
    (curve,) = read_curves(read_runs(made.out / "runs"))["rte"]
    assert len(curve.loss) == 48
    assert curve.loss[0] == pytest.approx(0.5)  # steps 0 and 1
    assert curve.loss[-1] == pytest.approx(94.5)  # steps 94 and 95
    assert curve.progress[-1] == pytest.approx(94.5 / 96)


def test_fingerprints_of_a_run_s_data_are_on_the_page(inputs: ReportInputs, page: Page) -> None:
    assert make_spec(["rte"], 0).data["rte"][:12] in page.text


# --- safety -----------------------------------------------------------------------------------


def write_evil(out: Path, names: list[str]) -> ReportInputs:
    """Write matrices, groups, scores and a study file whose every name is hostile."""
    made = Made(out, tuple(names), (tuple(names[:2]), tuple(names[2:])))
    write_vocabulary(made)
    write_groups(made, write_pairwise(made))
    write_comparison(made)
    write_planted(made)
    frame = pd.read_parquet(out / "compare.parquet")
    frame["system"] = frame["system"].str.replace("skillnet", names[0])
    write_table(out / "compare.parquet", frame, COMPARISON.schema, {})
    write_failures(make_study(out), error="".join(names))
    (out / "study.toml").write_text("</pre>" + "\n".join(names), encoding="utf-8")
    return read_inputs(out)


HOSTILE = [
    EVIL,
    "../../x",
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(1)//",
    "{{ 7 * 7 }}{% include 'x' %}",
    "' autofocus onfocus='alert(1)",
    "\u202eevil\u202c\x00\x1b[31m",
    "]]><svg/onload=alert(1)>",
    "=cmd|' /C calc'!A0",
    "$\\frac{1}",
]


def test_hostile_names_change_nothing(tmp_path: Path) -> None:
    out = tmp_path / "<b>study"
    out.mkdir()
    inputs = write_evil(out, HOSTILE)
    text = render_report(inputs)
    page = Page(text)
    assert page.unbalanced == []
    assert page.tags["script"] == 1
    assert not {"img", "iframe", "object", "embed", "base", "form", "b"} & _foreign(page)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert "{{ 7 * 7 }}" in page.text
    assert "49{" not in page.text
    assert not re.findall("[\x00-\x08\x1b\u202a-\u202e]", text)
    for name in HOSTILE[:6]:
        assert name in page.text
    written = sorted(path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*"))
    assert set(written) == {"<b>study"}


def _foreign(page: Page) -> set[str]:
    """Return the tags of a page, without the `b` that the template itself writes."""
    return {tag for tag in page.tags if tag != "b"}


@settings(max_examples=25)
@given(st.lists(st.text(min_size=1, max_size=30), min_size=2, max_size=2, unique=True))
def test_no_name_can_add_a_tag(names: list[str]) -> None:
    plain = Page(render_report(gains_of([[0, 0.1], [-0.2, 0]])))
    matrix = RelevanceMatrix.from_array([[0, 0.1], [-0.2, 0]], names, "pairwise")
    page = Page(render_report(ReportInputs("relevance-out", pairwise=matrix)))
    assert page.tags == plain.tags
    assert page.unbalanced == []


def test_the_policy_allows_this_script_and_nothing_else(html: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].replace("&#39;", "'").split(";"))
    assert rules["default-src"] == "'none'"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/=]{44}'", rules["script-src"])


def test_text_that_a_spreadsheet_would_run_is_defused() -> None:
    frame = pd.DataFrame({"task": ["=1+1", "@x", "-y", "fine"], "value": [-1.5, 2.0, 0.1, np.nan]})
    assert write_csv(frame) == "task,value\n'=1+1,-1.5\n'@x,2.0\n'-y,0.1\nfine,\n"
    assert link_csv(frame).startswith("data:text/csv;charset=utf-8;base64,")


# --- contracts --------------------------------------------------------------------------------


def test_a_comparison_with_missing_columns_is_refused(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study")
    frame = write_comparison(made).drop(columns=["score"])
    write_table(made.out / "compare.parquet", frame, COMPARISON.schema, {})
    assert "Missing: ['score']" in read_inputs(made.out).problems[0]


# --- small things -----------------------------------------------------------------------------


def test_numbers_are_written_with_a_true_minus_and_no_signed_zero() -> None:
    assert format_percent(-0.0316, 2) == "−3.16\u00a0%"
    assert format_percent(0.05, signed=True) == "+5.0\u00a0%"
    assert format_percent(-0.0001, signed=True) == "0.0\u00a0%"
    assert format_percent(math.nan) == "–"
    assert format_number(1234567, 0) == "1,234,567"
    assert format_interval(-0.041, -0.022) == "−4.1 to −2.2\u00a0%"
    assert format_interval(math.nan, 0.1) == ""
    assert format_probability(0.0004) == "< 0.001"
    assert format_probability(0.03) == "= 0.03"
    assert [join_words(list("abc"[:n])) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert clean("a\x00b\nc\u202e") == "a\ufffdb\nc\ufffd"
    assert clean("a\u200bb\ufeffc\u2060\u00ad") == "a\ufffdb\ufffdc\ufffd\ufffd"
    assert clean("mn\u200dli\u200c") == "mn\ufffdli\ufffd"
    joined = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert clean(joined) == joined  # Persian writes words with it


def test_systems_are_called_by_what_they_share() -> None:
    names = ["single-task", "skillnet", "hmnet-manual", "hmnet-pairwise-ffn", "mine"]
    assert [label_system(name) for name in names] == [
        "Single-task",
        "SkillNet-style",
        "HMNet (manual groups)",
        "HMNet (pairwise groups, ffn)",
        "mine",
    ]


def test_tasks_without_a_group_come_last() -> None:
    order = order_tasks(list("dcba"), Groups({"1": ("b", "x"), "2": ("a",)}))
    assert order.tasks == ("b", "a", "d", "c")
    assert order.labels == ("1", "2", "in no group")
    assert order.boundaries == (1, 2)


def test_agreement_of_two_measures_is_averaged_over_targets() -> None:
    tasks = list("abcd")
    gains = RelevanceMatrix.from_array(np.arange(16.0).reshape(4, 4), tasks, "pairwise")
    same = RelevanceMatrix.from_array(np.arange(16.0).reshape(4, 4) / 16, tasks, "vocabulary")
    turned = RelevanceMatrix.from_array(-np.arange(16.0).reshape(4, 4), tasks, "vocabulary")
    assert measure_rank_agreement(gains, same) == pytest.approx(1)
    assert measure_rank_agreement(gains, turned) == pytest.approx(-1)
    assert math.isnan(measure_rank_agreement(gains, same.select(["a", "b"])))


def test_pair_runs_alone_are_enough_for_times(tmp_path: Path) -> None:
    made = replace(make_study(tmp_path / "study"), seeds=(0,))
    write_runs(made)
    page = Page(render_report(read_inputs(made.out)))
    # 78 runs of 2 x 64,000 tokens in 2 x 13 s: 9,984,000 in 2,028 s or 34 min, 4,923 a second
    assert "pair 78 9,984,000 34 min 4,923" in page.text
    assert "94 runs finished, no gains yet" in page.text  # 13 + 78 + 1 + 1 + 1


@pytest.mark.parametrize(
    "note",
    [
        "task `rte`, split `validation`: 4 of 9 rows are in its training split word for word",
        "task `mrpc`, split `train`: `train.csv` is read as cp1252",
        f"task `qqp`, split `train`: no row has the label `{EVIL}`",
    ],
)
def test_what_is_odd_about_the_rows_stands_in_the_page(tmp_path: Path, note: str) -> None:
    made = make_study(tmp_path)
    write_pairwise(made)
    write_notes(made.out / "data", [note])
    html = render_report(read_inputs(made.out))
    assert f"About the data: {note}." in Page(html).text
    assert EVIL not in html
