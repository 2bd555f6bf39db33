"""Pages of the site that are made from the code, when it is built: `mkdocs.yml` names this file.

Commands from their options, files from their formats, Python from what each package offers.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.main import get_command

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hmnet", "analysis", "relevance")
TEXTS = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
"""Texts of the root that are pages, too."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here."""
    from mkdocs.structure.files import File

    pages = {
        "reference/commands.md": write_commands(),
        "reference/files.md": write_files(),
        "reference/python.md": write_python(),
    }
    pages |= {name: _move(_read(name)) for name in TEXTS}
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Have links to texts of the root lead to their pages."""
    return re.sub(rf"\]\(\.\./({'|'.join(map(re.escape, TEXTS))})", r"](\1", markdown)


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _move(text: str) -> str:
    """Have a text of the root lie among the documents: links to these are shorter there."""
    return text.replace("](docs/", "](").replace("](README.md)", "](index.md)")


# Commands


def write_commands() -> str:
    """Return the reference of both command lines."""
    from hmnet.cli import app as hmnet_app
    from relevance.cli import app as relevance_app

    lines = ["# Commands", ""]
    for name, app in (("relevance", relevance_app), ("hmnet", hmnet_app)):
        group: Any = get_command(app)
        lines += [f"## {name}", "", str(group.help or ""), ""]
        for command in group.commands.values():
            lines += _describe_command(name, command)
    return "\n".join(lines)


def _describe_command(app: str, command: Any) -> Iterator[str]:
    arguments = [str(p.name).upper() for p in command.params if p.param_type_name == "argument"]
    yield from (f"### {app} {command.name}", "", str(command.help or ""), "", "```text")
    yield " ".join([app, str(command.name), *arguments, "[OPTIONS]"])
    yield from ("```", "", "| option | what it is |", "| --- | --- |")
    context = typer.Context(command)
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None:
            option, said = (_to_cell(part) for part in record)
            yield f"| `{option}` | {said} |"
    yield from ("", _to_cell(str(command.epilog or "")), "")


def _take_first_line(text: str | None) -> str:
    return next(iter((text or "").strip().splitlines()), "")


def _to_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


# Files

_FILES = """Every file of an output folder names its schema. Tables are parquet, with their schema
in the footer; the rest is JSON. A column that is not listed may come and go; a listed one changes
with the schema's number alone."""


def write_files() -> str:
    """Return the schema of every file."""
    from hmnet.storage.table_format import TableFormat

    lines = ["# Files", "", _FILES, "", "## Tables", ""]
    documents: dict[str, tuple[str, Any]] = {}
    tables: dict[str, str] = {}
    for module in list_modules():
        content = vars(module)
        for name, value in content.items():
            if isinstance(value, TableFormat):
                tables.setdefault(value.schema, _describe_table(value, module))
            elif name.endswith("_SCHEMA") and isinstance(value, str):
                documents.setdefault(value, (module.__name__, module))
    lines += [tables[schema] for schema in sorted(tables)]
    lines += ["## Documents", ""]
    for schema, (place, module) in sorted(documents.items()):
        if schema not in tables:
            lines += [f"### {schema}", "", f"Declared in `{place}`.", "", *_list_records(module)]
    return "\n".join(lines)


def list_modules() -> Iterator[Any]:
    """Yield the packages' modules, imported."""
    for package in PACKAGES:
        top = importlib.import_module(package)
        for found in pkgutil.walk_packages(top.__path__, f"{package}."):
            if not found.name.endswith(("__main__", "wandb")):
                yield importlib.import_module(found.name)


def _describe_table(table: Any, module: Any) -> str:
    said = _take_first_line(module.__doc__)
    rows = [
        f"| `{name}` | {'text' if kind is str else 'number'} |"
        for name, kind in table.columns.items()
    ]
    head = ["| column | holds |", "| --- | --- |"]
    return "\n".join([f"### {table.schema}", "", _to_cell(said), "", *head, *rows, ""])


def _list_records(module: Any) -> Iterator[str]:
    """Yield the fields of the records that a module declares beside a schema."""
    for name, value in vars(module).items():
        is_own = isinstance(value, type) and value.__module__ == module.__name__
        if is_own and hasattr(value, "__pydantic_validator__") and dataclasses.is_dataclass(value):
            said = _take_first_line(value.__doc__)
            yield from (f"`{name}`: {_to_cell(said)}", "", "| field | type |", "| --- | --- |")
            for field in dataclasses.fields(value):
                yield f"| `{field.name}` | {_to_cell(str(field.type))} |"
            yield ""


# Python


def write_python() -> str:
    """Return a page of what each package offers, for mkdocstrings to fill."""
    lines = ["# Python", ""]
    for package in PACKAGES:
        module = importlib.import_module(package)
        said = (module.__doc__ or "").strip().split("\n\n")[0]
        lines += [f"## {package}", "", said, ""]
        for name in module.__all__:
            found = getattr(module, name)
            place = getattr(found, "__module__", None)
            if place and place.split(".")[0] in PACKAGES and hasattr(found, "__qualname__"):
                lines += [f"::: {place}.{found.__qualname__}", ""]
    return "\n".join(lines)
