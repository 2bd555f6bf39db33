"""What every command has: JSON in place of lines, version, help; nothing is left of refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_study import write_study
from typer.testing import CliRunner

import hmnet.cli
import relevance.cli
from hmnet.console.application import make_app, make_part
from hmnet.console.speaking import Aside, Shown, page, speak, to_json
from hmnet.errors import InputError, RelevanceError, SourceError
from hmnet.folder.newly_made import taking_back
from hmnet.folder.outputs import open_output
from hmnet.version import VERSION

APPS = {"relevance": relevance.cli.app, "hmnet": hmnet.cli.app}
COMMANDS = [
    (name, str(command.name or command.callback.__name__))  # type: ignore[union-attr]
    for name, app in APPS.items()
    for part in app.registered_groups
    for command in part.typer_instance.registered_commands  # type: ignore[union-attr]
]


@dataclass(frozen=True)
class Found:
    path: Path
    score: float


def test_a_value_is_json_whatever_holds_it() -> None:
    frame = pd.DataFrame({"gain": [1.5, np.nan], "n": [1, 2], "task": ["a", "b"]})
    assert to_json({"rows": frame, "found": Found(Path("x"), np.inf), "scores": np.arange(2)}) == {
        "rows": [{"gain": 1.5, "n": 1, "task": "a"}, {"gain": None, "n": 2, "task": "b"}],
        "found": {"path": "x", "score": None},
        "scores": [0, 1],
    }
    assert to_json((np.float32(0.5), {"b"}, None, True)) == [0.5, ["b"], None, True]


def test_a_page_is_one_document_of_all_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with page(as_json=True):
        speak([Shown("one\ntwo", k=1, wrote=["a"]), Aside("by the way")])
        speak(["three", Shown("four", k=2, wrote=["b"])])
    said = capsys.readouterr()
    assert json.loads(said.out) == {
        "schema": "printed/1",
        "lines": ["one", "two", "three", "four"],
        "k": 2,
        "wrote": ["a", "b"],
    }
    assert said.err == "by the way\n"


def test_a_page_holds_what_was_said_before_an_error_and_none_is_printed_without(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(InputError), page(as_json=True):
        raise InputError("wrong")
    assert capsys.readouterr().out == ""

    def fail() -> Iterator[str]:
        yield "done: 3"
        raise InputError("wrong")

    with pytest.raises(InputError), page(as_json=True):
        speak(fail())
    assert json.loads(capsys.readouterr().out)["lines"] == ["done: 3"]


def refuse(folder: Path, made: str, error: type[RelevanceError] = InputError) -> None:
    """Open an output folder, make a folder in it, and fail."""

    def fail() -> None:
        (open_output(folder).folder / made).mkdir(parents=True)
        raise error("wrong")

    with pytest.raises(error), taking_back():
        fail()


def test_a_refused_command_leaves_no_new_folder_and_what_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "study.toml").write_text("")
    refuse(tmp_path / "new", "data/rte")
    refuse(tmp_path / "study", "data/rte")
    assert not (tmp_path / "new").exists()
    assert [path.name for path in (tmp_path / "study").iterdir()] == ["study.toml"]


def test_a_folder_is_kept_that_was_one_before_or_has_runs_or_met_another_error(
    tmp_path: Path,
) -> None:
    open_output(tmp_path / "old")
    refuse(tmp_path / "old", "data")
    refuse(tmp_path / "running", "runs")
    refuse(tmp_path / "offline", "data", SourceError)
    for name in ("old", "running", "offline"):
        assert (tmp_path / name / "output.json").exists()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.mark.parametrize(
    "words",
    [
        "relevance target tonee",
        "relevance target tone --sources grade,mach",
        "relevance measure vocabb",
        "relevance vocab --unit letter",
        "relevance attention --pair tone,mach",
        "relevance pairwise --gpus a",
        "relevance plan --seeds 0",
        "relevance tasks --set training.epoch=1",
        "relevance check --tasks tone,mach",
        "hmnet train --groups none.json",
        "hmnet train --seed -1",
        "hmnet compare --groups x=none.json",
        "hmnet sweep --shared 9",
    ],
)
def test_a_refused_command_writes_nothing(study: Path, tmp_path: Path, words: str) -> None:
    name, *rest = words.split()
    out = tmp_path / "out"
    done = CliRunner().invoke(APPS[name], [*rest, "--study", str(study), "--out", str(out)])
    assert isinstance(done.exception, InputError), done.output
    assert not out.exists()


def test_commands_come_in_the_order_of_their_parts_and_take_json() -> None:
    first, second = make_part(), make_part()

    @first.command()
    def zero(count: int = 1) -> None:
        speak([Shown(f"{count} tasks", count=count)])

    @second.command()
    def another() -> None: ...

    app = make_app("tool", "What it does.", [first, second])
    said = CliRunner().invoke(app, ["-h"]).stdout
    assert said.index("zero") < said.index("another")
    assert "What it does." in said
    said = CliRunner().invoke(app, ["zero", "--count", "3", "--json"]).stdout
    assert json.loads(said)["count"] == 3
    assert CliRunner().invoke(app, ["zero"]).stdout == "1 tasks\n"


@pytest.mark.parametrize("name", APPS)
def test_a_command_line_says_its_version_and_offers_completion(name: str) -> None:
    assert CliRunner().invoke(APPS[name], ["--version"]).stdout == f"{name} {VERSION}\n"
    assert "--install-completion" in CliRunner().invoke(APPS[name], ["--help"]).stdout


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_every_command_has_json_short_help_and_an_example(name: str, command: str) -> None:
    command = {"import_": "import", "export_scores": "export-scores"}.get(command, command)
    said = CliRunner().invoke(APPS[name], [command, "-h"], terminal_width=200).stdout
    assert "--json" in said
    assert f"Example: {name} {command}" in said
