"""`relevance`: how much each task helps or hurts each other one, and which to train together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmnet.console.application import make_app, make_part
from hmnet.console.options import (
    OutOption,
    WorkersOption,
    split_names,
)
from hmnet.console.speaking import Shown, speak, wrote
from hmnet.console.terminal import run_app
from relevance.console import folder_commands, matrix_commands, measure_commands, study_commands

pages = make_part()


@pages.command(epilog="Example: relevance report scores.csv --out imported")
def report(
    results: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RESULTS]",
            help="Results of another trainer to take over first, as `relevance import` does.",
        ),
    ] = None,
    focus: Annotated[
        str | None, typer.Option(help="Task that the influence chart shows first.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    out: OutOption = None,
) -> None:
    """Write one self-contained HTML report of every stage that has been run."""
    from hmnet.folder.outputs import open_output
    from reports import write_report

    if results is not None:
        from relevance.commands.import_results import run_import

        speak(run_import(out, results))
    path = write_report(open_output(out, create=False).folder, focus=focus)
    speak([wrote(path)])
    if show:
        typer.launch(str(path))


@pages.command(epilog="Example: relevance figures --to figures --format svg")
def figures(
    folder: Annotated[Path, typer.Option("--to", help="Folder for the figures.")],
    kind: Annotated[str, typer.Option("--format", help="pdf, svg or png.")] = "pdf",
    width: Annotated[
        str | None, typer.Option(help="one-column or two-columns. [default: both]")
    ] = None,
    focus: Annotated[
        str | None, typer.Option(help="Tasks with an influence chart, or all. [default: one]")
    ] = None,
    font: Annotated[str | None, typer.Option(help="Font family. [default: DejaVu Sans]")] = None,
    out: OutOption = None,
) -> None:
    """Write each figure alone, for papers: fonts embedded, one and two columns wide."""
    from hmnet.folder.outputs import open_output
    from reports import write_figures

    source = open_output(out, create=False).folder
    paths = write_figures(
        source,
        folder,
        kind=kind,
        focus=tuple(split_names(focus) or ()),
        columns=None if width is None else [width],
        font=font,
    )
    speak([Shown(f"wrote {len(paths)} files to {folder}", wrote=paths)])


@pages.command(epilog="Example: relevance tables --to tables")
def tables(
    folder: Annotated[Path, typer.Option("--to", help="Folder for the tables.")],
    out: OutOption = None,
) -> None:
    """Write LaTeX tables in the paper's layout (Tables 1 to 4), of what has been run."""
    from hmnet.folder.outputs import open_output
    from reports import write_tables

    speak([wrote(*write_tables(open_output(out, create=False).folder, folder))])


@pages.command(epilog="Example: relevance demo --out demo-out")
def demo(
    seed: Annotated[int, typer.Option(help="Seed of texts, encoder and training.")] = 0,
    workers: WorkersOption = None,
    kinds: Annotated[
        str,
        typer.Option(
            help="plain: 13 tasks like the paper's; all: those of other kinds beside them, such as "
            "tags of words."
        ),
    ] = "plain",
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("demo-out"),
) -> None:
    """Run the whole chain on planted tasks, without a network, and write its report."""
    from relevance.demo import check_kinds, run_demo
    from reports import write_report

    speak(run_demo(out, seed, workers, all_kinds=check_kinds(kinds)))
    path = write_report(out)
    speak([Shown(f"open {path}", wrote=[path])])


GROUPS = (study_commands, measure_commands, matrix_commands, folder_commands)
app = make_app("relevance", __doc__, [*(group.app for group in GROUPS), pages])


def main() -> None:
    """Entry point of `relevance`."""
    run_app(app)
