"""`relevance import`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from hmnet.console.speaking import Shown
from hmnet.folder.freshness import Sources, deriving, note_files
from hmnet.folder.outputs import Output, find_output_folder, open_output
from relevance.imported.imported_results import (
    IMPORT_OPTIONS,
    ImportedResults,
    ImportOptions,
    check_folder,
    describe_import,
    load_results,
)
from relevance.imported.missing import describe_missing, describe_plan
from relevance.pairwise.effects import describe_effects
from relevance.pairwise.measurement import describe_measurement
from relevance.pairwise.sweep_text import describe_significant, format_matrix

MOST_SHOWN_TASKS = 13
"""Tasks of a matrix that is printed; a larger one is in its file."""


def run_import(
    out: Path | None, path: Path, options: ImportOptions = IMPORT_OPTIONS
) -> Iterator[str]:
    """Take over scores, predictions or a matrix; write what a sweep would have written.

    Nothing is written, and no folder made, where anything is wrong.
    """
    if find_output_folder(out).exists():
        check_folder(Output(find_output_folder(out)))
    results = load_results(path, options)
    output = open_output(out)
    with deriving(_find_sources(output, path, options)):
        written = results.write(output)
    yield from describe_import(results)
    yield from describe_results(results)
    yield from describe_missing(results)
    yield from describe_plan(results)
    yield Shown(f"wrote {written}", wrote=[written], matrix=results.matrix.table)
    yield f"next: {_name_next(out, written, results)}"


def _find_sources(output: Output, path: Path, options: ImportOptions) -> Sources:
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    command = " ".join(["relevance import", shlex.quote(str(path)), *_list_flags(options)])
    return Sources(command, files=note_files(output, *files))


def _list_flags(options: ImportOptions) -> Iterator[str]:
    """Yield the options of the command line that are not as without any."""
    for field in fields(options):
        value = getattr(options, field.name)
        if value != field.default:
            flag = f"--{field.name.replace('_', '-')}"
            yield flag if value is True else f"{flag} {shlex.quote(str(value))}"


def describe_results(results: ImportedResults) -> Iterator[str]:
    """Yield what imported results show."""
    if results.measurement is not None:
        yield from describe_measurement(results.measurement)
    else:
        yield from describe_significant(results.matrix)
    if results.effects is not None:
        yield from describe_effects(results.effects.record)
    if results.matrix.measure == "pairwise" and len(results.matrix.tasks) <= MOST_SHOWN_TASKS:
        yield format_matrix(results.matrix)


def _name_next(out: Path | None, written: Path, results: ImportedResults) -> str:
    is_gain = results.matrix.measure == "pairwise"
    which = "" if is_gain else f" --matrix {shlex.quote(str(written))}"
    folder = "" if out is None else f" --out {shlex.quote(str(out))}"
    count = "auto" if is_gain and len(results.matrix.tasks) > 3 else "2"
    return f"relevance cluster --k {count}{which}{folder}; relevance report{folder}"
