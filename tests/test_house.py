"""The house's rules for names and signatures: a name stands for one thing, a call can be read."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("hmnet", "analysis", "relevance", "reports")
MOST_PARAMETERS = 7
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

SHARED_NAMES = {
    "main": "the entry point of each command line",
    "compare": "a command of both: of systems, and of matrices",
    "train": "the command `hmnet train` trains by the function of that name",
    "evaluate": "`hmnet eval`; the function computes what the command reads",
    "predict": "the command `hmnet predict` predicts by the function of that name",
    "cluster": "the command `relevance cluster` groups by the function of that name",
    "advise": "the command `relevance advise` decides by the function of that name",
    "verify": "the command `relevance verify` checks by the function of that name",
}
"""Public names that stand twice, each with its reason: Typer names a command by its function."""
SHARED_MODULES = {
    "__init__": "a folder's face",
    "__main__": "a package that runs",
    "cli": "a command line's commands",
}
"""Names of modules that stand twice, each with its reason."""


def list_sources(root: Path) -> Iterator[tuple[str, ast.Module]]:
    """Yield path and syntax tree of every file of the packages."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            yield path.relative_to(root).as_posix(), ast.parse(source)


@pytest.fixture(scope="module")
def sources(root: Path) -> dict[str, ast.Module]:
    return dict(list_sources(root))


def count_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> int:
    """Return the parameters of a function, `*args` and `**kwargs` as one each, without `self`."""
    arguments = function.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    stars = [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return len(names) + len(stars) - (names[:1] in (["self"], ["cls"]))


def find_long_signatures(sources: dict[str, ast.Module]) -> list[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return [
        f"{path}:{node.lineno} takes {count_parameters(node)} parameters"
        for path, tree in sources.items()
        for node in ast.walk(tree)
        if isinstance(node, kinds) and count_parameters(node) > MOST_PARAMETERS
    ]


def find_shared(places: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: found for name, found in places.items() if len(found) > 1}


def find_shared_names(sources: dict[str, ast.Module]) -> dict[str, list[str]]:
    """Return the public functions and classes that are defined in several files."""
    places: dict[str, list[str]] = defaultdict(list)
    for path, tree in sources.items():
        for node in tree.body:
            if isinstance(node, Definition) and not node.name.startswith("_"):
                places[node.name].append(path)
    return find_shared(places)


def find_shared_modules(sources: dict[str, ast.Module]) -> dict[str, list[str]]:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sources:
        places[Path(path).stem].append(path)
    return find_shared(places)


def test_no_function_takes_more_parameters_than_a_reader_can_hold(
    sources: dict[str, ast.Module],
) -> None:
    assert find_long_signatures(sources) == []


def test_a_public_name_stands_once(sources: dict[str, ast.Module]) -> None:
    found = find_shared_names(sources)
    twice = {name: places for name, places in found.items() if name not in SHARED_NAMES}
    assert not twice, f"two functions or classes of one name; give the new one another: {twice}"
    assert SHARED_NAMES.keys() - found.keys() == set(), "no longer twice: no exemption is needed"


def test_a_shared_name_is_that_of_a_command(sources: dict[str, ast.Module]) -> None:
    for name, places in find_shared_names(sources).items():
        assert len(places) == 2, f"{name}: {places}"
        typed = ("/cli.py", "_commands.py")
        assert any(place.endswith(typed) for place in places), f"{name}: {places}"


def test_a_module_name_stands_once(sources: dict[str, ast.Module]) -> None:
    found = find_shared_modules(sources)
    twice = {name: places for name, places in found.items() if name not in SHARED_MODULES}
    assert not twice, f"two files of one name; give the new one another: {twice}"
    assert SHARED_MODULES.keys() <= found.keys(), "no longer twice: no exemption is needed"


def test_a_planted_fault_is_found() -> None:
    many = ", ".join(f"p{i}" for i in range(MOST_PARAMETERS))
    lines = (
        f"class Twice:\n    def fits(self, {many}): ...\n    def bad(self, {many}, *rest): ...\n"
    )
    tree = ast.parse(lines)
    sources = {"hmnet/one/same.py": tree, "reports/two/same.py": tree}
    assert [found.split()[0] for found in find_long_signatures(sources)] == [
        "hmnet/one/same.py:3",
        "reports/two/same.py:3",
    ]
    assert find_shared_names(sources) == {"Twice": list(sources)}
    assert find_shared_modules(sources) == {"same": list(sources)}
