"""What a package and each of its rooms offer: every name is there, free of torch, and no other."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT

PACKAGES = ("hmnet", "analysis", "relevance", "reports")
LIGHT = (
    *("hmnet", "hmnet.storage", "hmnet.study", "hmnet.runs", "hmnet.lazy"),
    *("hmnet.commands.stored_run", "hmnet.commands.kept_runs"),
    *("analysis", "analysis.scores", "analysis.gains", "analysis.partitions"),
    *("relevance", "relevance.matrices", "relevance.measures", "relevance.groups"),
)
"""Imported, they bring no torch."""


def list_rooms() -> Iterator[str]:
    """Yield the packages, and their folders, that say what they offer."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("__init__.py")):
            if "__all__" in path.read_text(encoding="utf-8"):
                yield ".".join(path.parent.relative_to(ROOT).parts)


def run_python(code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("room", tuple(list_rooms()))
def test_every_name_that_a_room_offers_is_there(room: str) -> None:
    module = importlib.import_module(room)
    assert module.__all__ == list(dict.fromkeys(module.__all__))
    for name in module.__all__:
        assert not hasattr(getattr(module, name), "__path__"), f"{name} is a folder"
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("room", tuple(list_rooms()))
def test_no_name_that_a_room_offers_is_one_of_its_modules(room: str) -> None:
    """Whichever were imported last would be what one gets."""
    module = importlib.import_module(room)
    files = (ROOT / Path(*room.split("."))).iterdir()
    assert not {path.stem for path in files} & set(module.__all__)


@pytest.mark.parametrize("package", ["hmnet", "analysis", "relevance"])
def test_every_room_says_what_it_offers(package: str) -> None:
    rooms = {f"{package}.{p.parent.name}" for p in (ROOT / package).glob("*/__init__.py")}
    assert {package, *rooms} <= set(list_rooms())


@pytest.mark.parametrize("name", ["no_such_name", "HmNet", "ast", "__wrapped__"])
def test_a_name_that_is_not_offered_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(importlib.import_module("hmnet"), name)


@pytest.mark.parametrize("module", LIGHT)
def test_what_needs_no_torch_imports_none(module: str) -> None:
    assert run_python(f"import sys, {module}; print('torch' in sys.modules)") == "False"


def test_a_notebook_begins_without_torch() -> None:
    names = "Study, Task, Groups, HierarchySpec, RunSpec, RunStore, RunResult, Job, load_study"
    asked = f"from hmnet import {names}, open_output, InputError"
    assert run_python(f"{asked}\nimport sys; print('torch' in sys.modules)") == "False"


def list_private_imports(source: str, own: str) -> Iterator[str]:
    """Yield what is imported of another room, and begins with an underscore."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ImportFrom | ast.Import):
            continue
        module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            parts = f"{module}.{alias.name}".strip(".").split(".")
            if parts[0] not in PACKAGES or ".".join(parts[:-1]).startswith(own):
                continue
            if any(part.startswith("_") and not part.startswith("__") for part in parts):
                yield ".".join(parts)


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_private_to_a_room_is_imported_by_no_other(package: str) -> None:
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        own = ".".join(path.parent.relative_to(ROOT).parts)
        found += [f"{path.name}: {n}" for n in list_private_imports(path.read_text(), own)]
    assert found == []


@pytest.mark.parametrize(
    ("line", "is_private"),
    [
        ("from hmnet.storage.files import _umask", True),
        ("from hmnet.storage import _files", True),
        ("import hmnet.storage._files", True),
        ("from hmnet.runs.store import _stamp", False),
        ("from hmnet.storage.files import write_bytes", False),
        ("from os import _exit", False),
    ],
)
def test_a_planted_private_import_is_judged(line: str, is_private: bool) -> None:
    assert bool(list(list_private_imports(line, "hmnet.runs"))) == is_private


def test_the_list_of_measures_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "sklearn", "scipy", "tokenizers")
    asked = "from relevance.measures import MEASURES; len(MEASURES)"
    assert (
        run_python(f"{asked}\nimport sys; print([n for n in {heavy} if n in sys.modules])") == "[]"
    )


def test_a_matrix_is_grouped_in_a_notebook_and_by_the_command_without_torch() -> None:
    asked = "from relevance import KMeansGrouper, RelevanceMatrix, group_matrix, load_reference"
    used = "KMeansGrouper(k=2).fit(load_reference('paper:table3'))"
    words = "cluster --matrix paper:table3 --k 2 --out out"
    typed = f"from relevance.cli import app; app('{words}'.split(), standalone_mode=False)"
    said = run_python(f"{asked}\n{used}\n{typed}\nimport sys; print('torch' in sys.modules)")
    *_, written, has_torch = said.splitlines()
    assert (written, has_torch) == ("wrote out/clusters.parquet and out/groups.json", "False")
