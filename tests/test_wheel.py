"""The wheel, built and installed where nothing of the checkout is in reach, does its work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from places import ROOT

from hmnet.version import VERSION

pytestmark = pytest.mark.system
PACKAGES = ("hmnet", "analysis", "relevance", "reports")
SCORES = """target,partner,seed,score
rte,,0,60.0
rte,,1,61.0
rte,mnli,0,66.0
rte,mnli,1,68.0
mnli,,0,80.0
mnli,,1,81.0
mnli,rte,0,80.5
mnli,rte,1,79.5
"""


def run(command: Sequence[object], folder: Path) -> str:
    """Run a command as a user's shell would, without the checkout on Python's path."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=folder, env=kept, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built beside it: a folder of an earlier build has no part in it."""
    pytest.importorskip("build", reason="there is no `build` installed")
    folder = tmp_path_factory.mktemp("wheel")
    for package in PACKAGES:
        kept = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / "tree" / package, ignore=kept)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "tree" / name)
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
    run([*words, folder / "tree"], folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def place(wheel: Path) -> Path:
    """An environment with the wheel; what it requires is read from the tests' own environment."""
    folder = wheel.parent / "environment"
    run([sys.executable, "-m", "venv", "--without-pip", folder], wheel.parent)
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "required.pth").write_text("".join(f"{each}\n" for each in _list_site_packages()))
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "--quiet"]
    run([*pip, "install", "--no-deps", "--no-index", wheel], wheel.parent)
    return folder / "bin"


def _list_site_packages() -> list[str]:
    own = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    further = [path for path in sys.path if path.endswith("site-packages")]
    return list(dict.fromkeys([*own, *further]))


def test_a_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        held = set(opened.namelist())
    there = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there - held == set()
    assert {name for name in held if ".dist-info/" not in name} - there == set()
    assert {f"{package}/py.typed" for package in PACKAGES} <= held


def test_both_commands_of_an_installed_wheel_work(place: Path, tmp_path: Path) -> None:
    for command in ("relevance", "hmnet"):
        assert run([place / command, "--version"], tmp_path).split() == [command, VERSION]
        assert "Usage" in run([place / command, "--help"], tmp_path)
    asked = "import hmnet, reports; print(hmnet.__file__, reports.__file__)"
    found = run([place / "python", "-c", asked], tmp_path)
    assert all(path.startswith(str(place.parent)) for path in found.split())


def test_an_installed_wheel_imports_groups_and_reports(place: Path, tmp_path: Path) -> None:
    """Templates, styles and the published tables come with it."""
    (tmp_path / "scores.csv").write_text(SCORES)
    relevance = place / "relevance"
    run([relevance, "import", "scores.csv", "--out", "imported"], tmp_path)
    run([relevance, "cluster", "--matrix", "paper:table3", "--k", "3", "--out", "out"], tmp_path)
    run([relevance, "report", "--out", "imported"], tmp_path)
    assert "<style>" in (tmp_path / "imported" / "report.html").read_text()
