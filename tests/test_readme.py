"""What the README and the documents show works: commands, options, links, modules, a study file.

Its Python is run by `test_examples.py`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest
from places import ROOT
from typer.main import get_command

from hmnet.cli import app as hmnet_app
from hmnet.study.metrics import METRICS
from hmnet.study.study import load_study
from relevance.cli import app as relevance_app
from relevance.measures.registry import list_further

APPS = {"relevance": get_command(relevance_app), "hmnet": get_command(hmnet_app)}


DOCUMENTS = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
TEXTS = ["README.md", "CONTRIBUTING.md", *DOCUMENTS]


def list_blocks(root: Path, language: str, names: Sequence[str] = TEXTS) -> list[str]:
    """Return the code blocks of texts in a language."""
    text = "".join((root / name).read_text() for name in names)
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def list_commands(root: Path, names: Sequence[str] = TEXTS) -> list[list[str]]:
    blocks = [*list_blocks(root, "bash", names), *list_blocks(root, "sh", names)]
    lines = [line for block in blocks for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [line for line in words if line and line[0] in APPS]


def test_every_command_and_option_of_the_texts_exists(root: Path) -> None:
    commands = list_commands(root)
    assert len(commands) > 10
    for app, name, *arguments in commands:
        command = APPS[app].commands[name]  # type: ignore[attr-defined]
        known = {option for parameter in command.params for option in parameter.opts}
        unknown = [word for word in arguments if word.startswith("--") and word not in known]
        assert not unknown, f"{app} {name}: {unknown}"
        command.make_context(name, arguments, resilient_parsing=False)


def test_every_command_is_among_the_examples(root: Path) -> None:
    shown = {
        (app, name)
        for app, name, *_ in list_commands(root, ["docs/commands.md", "docs/deployment.md"])
    }
    offered = {(app, name) for app, group in APPS.items() for name in group.commands}  # type: ignore[attr-defined]
    assert offered <= shown


def test_every_make_target_of_the_texts_exists(root: Path) -> None:
    makefile = (root / "Makefile").read_text()
    lines = "\n".join(list_blocks(root, "bash"))
    for target in re.findall(r"\bmake ([a-z]+)", lines):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_study_file_of_the_texts_loads(root: Path, tmp_path: Path) -> None:
    (block,) = list_blocks(root, "toml", ["docs/studies.md"])
    (tmp_path / "study.toml").write_text(block)
    study = load_study(tmp_path / "study.toml")
    assert list(study.tasks) == ["rte", "mrpc", "stsb", "tickets", "urgency"]
    assert study.tasks["urgency"].metric == "correlation"
    assert study.training.precision == "auto"


def test_every_metric_is_among_the_texts(root: Path) -> None:
    text = (root / "docs/studies.md").read_text()
    missing = [name for name in METRICS if f"`{name}`" not in text]
    assert not missing, f"add to docs/studies.md: {', '.join(missing)}"


def test_every_measure_is_among_the_concepts(root: Path) -> None:
    text = (root / "docs/concepts.md").read_text()
    missing = {m.name for m in list_further() if f"| `{m.name}` |" not in text}
    missing -= {"manual"}  # which has a line among the paper's
    assert not missing, f"add a line to docs/concepts.md: {', '.join(sorted(missing))}"


def test_the_readme_is_read_in_one_go(root: Path) -> None:
    lines = (root / "README.md").read_text().splitlines()
    assert len(lines) < 150
    assert lines[2].startswith("**Which of my language-understanding tasks")


def test_every_page_is_in_the_navigation(root: Path) -> None:
    shown = set(re.findall(r": ([\w-]+\.md)$", (root / "mkdocs.yml").read_text(), re.MULTILINE))
    assert {path.name for path in (root / "docs").glob("*.md")} <= shown


@pytest.mark.parametrize("name", [*TEXTS, "CHANGELOG.md"])
def test_links_to_files_lead_somewhere(root: Path, name: str) -> None:
    text, folder = (root / name).read_text(), (root / name).parent
    for target in re.findall(r"[^!]\[[^\]]*\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (folder / target).exists(), target


@pytest.mark.parametrize("name", TEXTS)
def test_modules_that_are_named_by_their_path_are_there(root: Path, name: str) -> None:
    paths = re.findall(r"`((?:\w+/)+\w+\.py)`", (root / name).read_text())
    missing = [path for path in paths if not (root / path).is_file()]
    assert not missing, f"{name} names files that moved or are gone: {', '.join(missing)}"


def test_every_function_of_the_walks_is_in_its_module(root: Path) -> None:
    steps = re.findall(r"`([\w/]+\.py)`,\s+`([\w.]+)`", (root / "docs/walks.md").read_text())
    assert len(steps) > 30
    for path, dotted in steps:
        source = (root / path).read_text()
        for name in dotted.split("."):
            assert re.search(rf"\b(def|class) {name}\b", source), f"{path} has no `{dotted}`"


@pytest.mark.parametrize("name", ["README.md", "docs/gallery.md"])
def test_pictures_are_there_and_have_a_text(root: Path, name: str) -> None:
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", (root / name).read_text())
    assert pictures
    for text, target in pictures:
        assert len(text) > 20, target
        assert ((root / name).parent / target).is_file(), target


def test_pictures_are_small(root: Path) -> None:
    pictures = list((root / "docs" / "pictures").iterdir())
    assert sum(path.stat().st_size for path in pictures) < 1_500_000
