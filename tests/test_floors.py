"""The architecture's rules: imports only go down, are declared, and cost nothing for `--help`."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from places import ROOT

ROOMS = {
    "hmnet": (
        "storage",
        "study",
        "data",
        "starting",
        "runs",
        "packing",
        "encoders",
        "models",
        "training",
        "jobs",
        "folder",
        "commands",
        "serving",
        "console",
        "planted",
    ),
    "analysis": ("scores", "gains", "partitions", "guesses", "transfer"),
    "relevance": (
        "matrices",
        "vocabulary",
        "measures",
        "pairwise",
        "designs",
        "imported",
        "groups",
        "systems",
        "attention",
        "agreement",
        "commands",
        "console",
    ),
    "reports": ("style", "inputs", "tables", "figures", "words", "page"),
}
"""The packages and their folders, lowest first: a file imports what stands before it, or beside it.

A file in a package's own folder stands below all of the package's rooms, but for `ENTRIES` and for
its face, `__init__.py`, which offers names of all rooms to other packages and to people."""
ENTRIES = (
    *("relevance/demo.py", "reports/figure_files.py", "reports/html.py"),
    "reports/latex_tables.py",
)
"""Files in a package's own folder that use its rooms; they stand above them."""
FLOORS = list(ROOMS)
MODULES = {package: {path.stem for path in (ROOT / package).glob("*.py")} for package in ROOMS}
HEAVY = ("torch", "transformers", "datasets", "sklearn", "scipy", "matplotlib", "seaborn")
TORCH_FREE = ("hmnet/storage", "hmnet/study", "hmnet/runs")
HELP_LIMIT_S = 0.7
DISTRIBUTIONS = {
    "charset_normalizer": "charset-normalizer",
    "dask": "distributed",  # which requires its own release of it
    "huggingface_hub": "huggingface-hub",
    "prometheus_client": "prometheus-client",
    "sklearn": "scikit-learn",
    "tomli_w": "tomli-w",
}


def list_imports(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of every import, wherever it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield node.lineno, module
            if module in FLOORS:  # `from hmnet import training` names the room last
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def list_files(root: Path) -> list[Path]:
    return [file for floor in FLOORS for file in sorted((root / floor).rglob("*.py"))]


def find_place(module: str) -> tuple[int, int]:
    """Return floor and room of a dotted name in one of the packages; rooms begin at 1."""
    package, *rest = module.split(".")
    rooms = ROOMS[package]
    if rest and rest[0] in rooms:
        return FLOORS.index(package), rooms.index(rest[0]) + 1
    is_entry = bool(rest) and f"{package}/{rest[0]}.py" in ENTRIES
    is_entry |= rest == ["__init__"]
    return FLOORS.index(package), len(rooms) + 1 if is_entry else 0


def is_upward(own: tuple[int, int], name: str) -> bool:
    """Tell whether a file of that place may not import a dotted name."""
    package, *rest = name.split(".")
    if package not in ROOMS:
        return name.startswith(".")
    is_face = FLOORS.index(package) == own[0] and is_offered(package, rest)
    return find_place(name) > own or rest[:1] == ["cli"] or is_face


def is_offered(package: str, rest: list[str]) -> bool:
    """Tell whether a name of a package is none of its modules: its face offers it, from a room."""
    return len(rest) == 1 and rest[0] not in MODULES[package] and rest[0] not in ROOMS[package]


def find_upward_imports(root: Path) -> list[str]:
    """Return "file:line imports x" for every import of a higher place, or of a command."""
    found = []
    for file in list_files(root):
        path = file.relative_to(root)
        if path.name in ("cli.py", "__main__.py") and len(path.parts) == 2:
            continue
        own = find_place(".".join(path.with_suffix("").parts))
        for line, name in list_imports(file.read_text(encoding="utf-8")):
            if is_upward(own, name):
                found.append(f"{path}:{line} imports {name}")
    return found


def test_imports_only_go_down(root: Path) -> None:
    assert find_upward_imports(root) == []


@pytest.mark.parametrize("package", FLOORS)
def test_every_room_is_declared_and_has_code_to_walk(root: Path, package: str) -> None:
    paths = [file.relative_to(root / package) for file in (root / package).rglob("*.py")]
    assert {path.parts[0] for path in paths if len(path.parts) > 1} == set(ROOMS[package])
    assert {file.relative_to(root).parts[0] for file in list_files(root)} == set(FLOORS)


def test_every_entry_is_there(root: Path) -> None:
    assert [entry for entry in ENTRIES if not (root / entry).is_file()] == []


@pytest.mark.parametrize("package", FLOORS)
def test_every_room_has_its_charter(root: Path, package: str) -> None:
    for room in ROOMS[package]:
        text = (root / package / room / "__init__.py").read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(text)), f"{package}/{room} does not say what it holds"


@pytest.mark.parametrize(
    ("file", "line", "is_refused"),
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
        ("hmnet/storage/planted.py", "from hmnet.study.tasks import Task", True),
        ("hmnet/storage/planted.py", "from hmnet import study", True),
        ("hmnet/runs/planted.py", "def f():\n    from hmnet.training.loop import train", True),
        ("hmnet/of_the_package.py", "import hmnet.storage.files", True),
        ("analysis/gains/planted.py", "import analysis.partitions.kmeans", True),
        ("analysis/scores/planted.py", "from relevance.demo import run_demo", True),
        ("relevance/matrices/planted.py", "import relevance.pairwise.plan", True),
        ("relevance/systems/planted.py", "import relevance.demo", True),
        ("reports/style/planted.py", "from reports.words import finding", True),
        ("reports/page/planted.py", "from reports.html import write_report", True),
        ("hmnet/training/planted.py", "from hmnet import errors, storage", False),
        ("hmnet/storage/planted.py", "from hmnet.storage.files import write_bytes", False),
        (
            "analysis/partitions/planted.py",
            "import analysis.gains.bootstrap, analysis.arrays",
            False,
        ),
        ("relevance/matrices/planted.py", "import hmnet.planted.suite", False),
        ("relevance/demo.py", "import relevance.attention.pair_maps", False),
        ("hmnet/__init__.py", "from hmnet.training.loop import train", False),
        ("hmnet/__init__.py", "from relevance.matrices.matrix import RelevanceMatrix", True),
        ("hmnet/runs/planted.py", "from hmnet import train", True),
        ("hmnet/training/__init__.py", "from hmnet.jobs.workers import Workers", True),
        ("relevance/groups/planted.py", "from hmnet import train", False),
    ],
)
def test_a_planted_import_is_judged(tmp_path: Path, file: str, line: str, is_refused: bool) -> None:
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    planted.write_text(f"import os\n{line}\n")
    found = find_upward_imports(tmp_path)
    assert bool(found) == is_refused
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
    used = ("tensorboard", "wandb", "dask", "onnx", "serve")
    extras = [line for extra in used for line in optional[extra]]
    declared = {re.split(r"[<>=\[; ]", line)[0] for line in [*project["dependencies"], *extras]}
    assert list_distributions(list_files(root)) <= declared
    for extra in optional.values():
        declared |= {re.split(r"[<>=\[; ]", line)[0] for line in extra}
    assert list_distributions(sorted((root / "tests").rglob("*.py"))) <= declared


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
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
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


@pytest.mark.parametrize("room", TORCH_FREE)
def test_rooms_that_promise_it_do_not_import_torch(root: Path, room: str) -> None:
    files = sorted((root / room).glob("*.py"))
    modules = [".".join(file.relative_to(root).with_suffix("").parts) for file in files]
    done = run_python(["-c", f"import sys, {', '.join(modules)}; print('torch' in sys.modules)"])
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize("command", ["relevance", "hmnet"])
def test_help_answers_at_once(command: str) -> None:
    """Counted in the command's own processor time, which is the same whatever else runs here."""
    ask = f"""
import sys, time
sys.argv = ["x", "--help"]
from {command}.cli import main
try:
    main()
finally:
    print(time.process_time())
"""
    done = run_python(["-c", ask])
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[-1]) < HELP_LIMIT_S
