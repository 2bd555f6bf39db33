"""The architecture's rules: imports only go down, are declared, and cost nothing for `--help`."""

from __future__ import annotations

import ast
import os
import re
import resource
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FLOORS = {"hmnet": 0, "analysis": 1, "relevance": 2, "reports": 3}
HEAVY = ("torch", "transformers", "datasets", "sklearn", "scipy", "matplotlib", "seaborn")
HELP_LIMIT_S = 0.7
DISTRIBUTIONS = {
    "dask": "distributed",  # which requires its own release of it
    "huggingface_hub": "huggingface-hub",
    "sklearn": "scikit-learn",
    "tomli_w": "tomli-w",
}


def list_imports(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of every import, wherever it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def list_files(root: Path) -> list[Path]:
    return [file for floor in FLOORS for file in sorted((root / floor).rglob("*.py"))]


def find_upward_imports(root: Path) -> list[str]:
    """Return "file:line imports x" for every import of a higher floor, or of a command."""
    found = []
    for file in list_files(root):
        path = file.relative_to(root)
        if path.name in ("cli.py", "__main__.py") and len(path.parts) == 2:
            continue
        own = FLOORS[path.parts[0]]
        for line, name in list_imports(file.read_text(encoding="utf-8")):
            first, *rest = name.split(".")
            if FLOORS.get(first, own) > own or name.startswith(".") or rest[:1] == ["cli"]:
                found.append(f"{path}:{line} imports {name}")
    return found


def test_imports_only_go_down(root: Path) -> None:
    assert find_upward_imports(root) == []


def test_every_floor_has_code_to_walk(root: Path) -> None:
    assert {file.relative_to(root).parts[0] for file in list_files(root)} == set(FLOORS)


@pytest.mark.parametrize(
    ("file", "line", "is_upward"),
    [
        ("hmnet/planted.py", "import relevance.matrices.matrix", True),
        ("hmnet/planted.py", "from reports import html", True),
        ("hmnet/planted.py", "def f():\n    from analysis.gains.bootstrap import draw", True),
        ("hmnet/planted.py", "from . import tasks", True),
        ("hmnet/planted.py", "import hmnet.cli", True),
        ("hmnet/deep/cli.py", "import relevance", True),
        ("analysis/planted.py", "if TYPE_CHECKING:\n    import reports", True),
        ("analysis/planted.py", "from relevance.matrices.matrix import RelevanceMatrix", True),
        ("hmnet/cli.py", "import relevance, reports", False),
        ("hmnet/planted.py", "import hmnet.study.tasks, numpy", False),
        ("relevance/planted.py", "from hmnet.study.tasks import Task", False),
        ("relevance/planted.py", "import analysis.gains.bootstrap", False),
        ("reports/planted.py", "import analysis, relevance, hmnet", False),
        ("hmnet/planted.py", "import relevance_of_another_package", False),
    ],
)
def test_a_planted_import_is_judged(tmp_path: Path, file: str, line: str, is_upward: bool) -> None:
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    planted.write_text(f"import os\n{line}\n")
    found = find_upward_imports(tmp_path)
    assert len(found) == is_upward
    assert all(problem.startswith(file) for problem in found)


def list_distributions(files: list[Path]) -> set[str]:
    """Return the distributions that files import, without Python's own and the project's."""
    own = {*FLOORS, "benchmarks", *(file.stem for file in files)} | set(sys.stdlib_module_names)
    imported = {
        name.split(".")[0]
        for file in files
        for _, name in list_imports(file.read_text(encoding="utf-8"))
    }
    return {DISTRIBUTIONS.get(name, name) for name in imported - own}


def read_project(root: Path) -> dict[str, Any]:
    return dict(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def test_every_imported_distribution_is_declared(root: Path) -> None:
    project = read_project(root)
    optional = project["optional-dependencies"]
    extras = [*optional["tensorboard"], *optional["wandb"], *optional["dask"]]
    declared = {re.split(r"[<>=\[; ]", line)[0] for line in [*project["dependencies"], *extras]}
    assert list_distributions(list_files(root)) <= declared
    for extra in optional.values():
        declared |= {re.split(r"[<>=\[; ]", line)[0] for line in extra}
    assert list_distributions(sorted((root / "tests").glob("*.py"))) <= declared


def test_every_bound_has_its_reason_and_every_pin_fits_its_bound(root: Path) -> None:
    packaging = pytest.importorskip("packaging.requirements")
    text = (root / "pyproject.toml").read_text()
    project = read_project(root)
    pins = dict(
        line.split("==")
        for line in (root / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    extras = [line for group in project["optional-dependencies"].values() for line in group]
    for line in [*project["dependencies"], *extras]:
        requirement = packaging.Requirement(line)
        if requirement.name == "task-relevance":
            continue
        assert requirement.specifier, f"{line} has no bound"
        assert requirement.specifier.contains(pins[requirement.name]), f"{line} is pinned outside"
    for line in project["dependencies"]:
        before = text[: text.index(f'"{line}"')].rstrip().splitlines()[-1]
        assert before.strip().startswith("#"), f"{line} has no reason"


def run_python(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run Python from an empty folder, with the project's packages on the path."""
    root = Path(__file__).resolve().parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("command", ["relevance", "hmnet"])
def test_help_imports_nothing_heavy(command: str) -> None:
    probe = (
        "import sys\n"
        f"from {command}.cli import main\n"
        f"sys.argv = ['{command}', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('heavy:', [name for name in {HEAVY} if name in sys.modules])\n"
    )
    done = run_python(["-c", probe])
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "heavy: []"


@pytest.mark.parametrize("command", ["relevance", "hmnet"])
def test_help_answers_at_once(command: str) -> None:
    """Counted in processor time, which is the same whatever else runs here."""
    ask = ["-c", f"import sys; sys.argv = ['x', '--help']; from {command}.cli import main; main()"]
    before = _count_child_seconds()
    done = run_python(ask)
    assert done.returncode == 0, done.stderr
    assert _count_child_seconds() - before < HELP_LIMIT_S


def _count_child_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
