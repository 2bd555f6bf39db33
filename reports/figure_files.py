"""Figures for papers: each by itself, as vectors, with its fonts, for one column and for two."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from hmnet.errors import InputError, suggest
from hmnet.storage.files import write_bytes
from reports.figures import (
    ONE_COLUMN_IN,
    TWO_COLUMNS_IN,
    draw_attention,
    draw_attention_layers,
    draw_curves,
    draw_dendrogram,
    draw_heatmap,
    draw_influence,
    draw_layer_combinations,
    draw_scores,
    draw_shared_layers,
    draw_together,
    draw_worth,
)
from reports.figures.paper_style import using_font
from reports.figures.svg import Format, save_figure
from reports.inputs.report_inputs import ReportInputs, read_inputs
from reports.tables.influence_bars import choose_focus

FORMATS: tuple[Format, ...] = ("pdf", "svg", "png")
WIDTHS: Mapping[str, float] = {"one-column": ONE_COLUMN_IN, "two-columns": TWO_COLUMNS_IN}

Drawing = tuple[str, Callable[[float], Figure]]


def write_figures(
    out: Path,
    folder: Path,
    kind: str = "pdf",
    focus: Iterable[str] = (),
    columns: Iterable[str] | None = None,
    font: str | None = None,
) -> list[Path]:
    """Write every figure that an output folder has data for; return the files.

    Args:
        folder: where to write `<figure>.<columns>.<kind>`, or `<figure>.<kind>` for one width.
        kind: `pdf` and `svg` are vectors; `png` has 300 dots per inch.
        focus: tasks of which Figure 2 is drawn, `all` for every one; the one that loses most if
            empty.
        columns: widths, of `WIDTHS`; None for all.
        font: a font family that matplotlib finds; None for the one that is always there.

    Raises:
        OutputFolderError: if there is no such output folder.
        InputError: for an unknown format, width or task.
    """
    _check(kind, FORMATS, "format")
    chosen = next(each for each in FORMATS if each == kind)
    columns = list(WIDTHS if columns is None else columns)
    for name in columns:
        _check(name, WIDTHS, "width")
    written = []
    with using_font(font):
        for figure, draw in list_drawings(read_inputs(out), focus):
            for name in columns:
                width = "" if len(columns) == 1 else f".{name}"
                path = folder / f"{figure}{width}.{kind}"
                write_bytes(path, save_figure(draw(WIDTHS[name]), chosen, figure))
                written.append(path)
    return written


def _check(value: str, known: Iterable[str], parameter: str) -> None:
    known = list(known)
    if value not in known:
        raise InputError(
            f"Parameter `{parameter}` should be one of {', '.join(known)}. Found `{value}`."
            f"{suggest(value, known)}"
        )


def list_drawings(inputs: ReportInputs, focus: Iterable[str] = ()) -> list[Drawing]:
    """Return name and drawing function of every figure that the inputs have data for.

    Raises:
        InputError: if `focus` names a task that the gains do not hold.
    """
    return [
        *_draw_matrices(inputs),
        *_draw_influences(inputs, list(focus)),
        *_draw_groups(inputs),
        *_draw_systems(inputs),
        *_draw_runs(inputs),
    ]


def _draw_matrices(inputs: ReportInputs) -> Iterator[Drawing]:
    for name, matrix in inputs.matrices.items():
        yield name, partial(draw_heatmap, matrix, None)
        if inputs.groups is not None:
            yield f"{name}-grouped", partial(draw_heatmap, matrix, inputs.groups)


def _draw_influences(inputs: ReportInputs, focus: list[str]) -> Iterator[Drawing]:
    if inputs.pairwise is None or inputs.gains is None:
        return
    if focus == ["all"] and "all" not in inputs.pairwise.tasks:
        focus = list(inputs.pairwise.tasks)
    for task in focus:
        _check(task, inputs.pairwise.tasks, "focus")
    chosen = choose_focus(inputs.gains)
    for task in focus or ([chosen] if chosen is not None else []):
        yield f"influence-{make_safe(task)}", partial(draw_influence, inputs.pairwise, task)


def make_safe(task: str) -> str:
    """Return a task's name as a part of a file name, whatever a matrix calls it."""
    return re.sub(r"[^A-Za-z0-9_+-]", "_", task)[:64]


def _draw_groups(inputs: ReportInputs) -> Iterator[Drawing]:
    measured = inputs.measured
    if measured is not None and len(measured.tasks) > 2:
        yield "dendrogram", partial(draw_dendrogram, measured, inputs.groups)
    if inputs.together is not None:
        yield "together", partial(draw_together, inputs.together, inputs.groups)


def _draw_systems(inputs: ReportInputs) -> Iterator[Drawing]:
    if inputs.scores is not None:
        yield "scores", partial(draw_scores, inputs.scores)
    if inputs.attention is not None:
        yield "attention", partial(draw_attention, inputs.attention, inputs.gains)
    if inputs.layers is not None:
        yield "attention-layers", partial(draw_attention_layers, inputs.layers)
    if inputs.agreement is not None:
        yield "worth", partial(draw_worth, inputs.agreement)


def _draw_runs(inputs: ReportInputs) -> Iterator[Drawing]:
    if inputs.curves:
        yield "curves", partial(draw_curves, inputs.curves)
    if inputs.layer_sweep is not None:
        yield "shared-layers", partial(draw_shared_layers, inputs.layer_sweep)
    if inputs.combination_sweep is not None:
        yield "layer-combinations", partial(draw_layer_combinations, inputs.combination_sweep)
