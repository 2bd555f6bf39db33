"""The rooms of the report: what another room may use is what a room offers."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT

ROOMS = tuple(path.parent.name for path in sorted((ROOT / "reports").glob("*/__init__.py")))


def list_borrowed(room: str) -> Iterator[tuple[str, str]]:
    """Yield file and name of what files of the packages import from a room that is not theirs."""
    for package in ("hmnet", "analysis", "relevance", "reports"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.parent.name == room or path.name == "__init__.py":
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(
                    f"reports.{room}."
                ):
                    yield from ((path.name, alias.name) for alias in node.names)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_offers_what_others_use_of_it(room: str) -> None:
    offered = set(importlib.import_module(f"reports.{room}").__all__)
    borrowed = list(list_borrowed(room))
    assert borrowed
    assert [(file, name) for file, name in borrowed if name not in offered] == []


def test_there_are_the_rooms() -> None:
    assert set(ROOMS) == {"style", "inputs", "tables", "figures", "words", "page"}


def test_a_folder_is_read_and_put_into_words_without_matplotlib(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from reports import read_inputs, summarise_report;"
        "print(summarise_report(read_inputs(Path(sys.argv[1]))).headline);"
        "print({'matplotlib', 'seaborn', 'torch'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["Nothing has been measured yet", "set()"]
