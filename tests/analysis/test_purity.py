"""Statistics return: `analysis` knows no output folder, worker or run, and says nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT

KEPT_OUT = ("folder", "jobs", "runs", "commands", "console", "study.study", "study.study_file")
SPEAKING = ("print", "echo", "say")
SPEAKERS = (Path("relevance/commands/lines.py"),)
"""What asks on a terminal."""


def find_impurities(source: str) -> Iterator[str]:
    """Yield imports of what has effects, and names of what speaks."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            room = (node.module or "").removeprefix("hmnet.")
            if any(f"{room}.".startswith(f"{name}.") for name in KEPT_OUT):
                yield str(node.module)
        elif isinstance(node, ast.Name) and node.id in SPEAKING:
            yield node.id
        elif isinstance(node, ast.arg | ast.keyword) and node.arg in SPEAKING:
            yield str(node.arg)
        elif isinstance(node, ast.Attribute) and node.attr in SPEAKING:
            yield node.attr


def test_statistics_have_no_effects() -> None:
    for path in sorted((ROOT / "analysis").rglob("*.py")):
        assert list(find_impurities(path.read_text(encoding="utf-8"))) == [], path.name


@pytest.mark.parametrize("package", ["relevance", "analysis"])
def test_nothing_below_a_command_line_is_told_how_to_speak(package: str) -> None:
    for path in sorted((ROOT / package).rglob("*.py")):
        if path.relative_to(ROOT) in SPEAKERS:
            continue
        found = set(find_impurities(path.read_text(encoding="utf-8"))) & set(SPEAKING)
        assert found == set(), path.name


@pytest.mark.parametrize(
    ("code", "is_impure"),
    [
        ("from hmnet.folder.outputs import Output", True),
        ("def f(say=None): ...", True),
        ("print('done')", True),
        ("from hmnet.study.hierarchy import Groups", False),
        ("def f(values): return values", False),
    ],
)
def test_a_planted_impurity_is_found(code: str, is_impure: bool) -> None:
    assert bool(list(find_impurities(code))) == is_impure
