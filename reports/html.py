"""The report: one HTML file that needs nothing else, from whatever stages have been run.

    write_report(Path("relevance-out"))          # relevance-out/report.html

Everything that comes from users is escaped by the template. The page's content security policy
allows its own script (by hash) and its own styles, and no request of any kind.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from hmnet.errors import InputError, suggest
from hmnet.folder.freshness import Sources, deriving, note_files
from hmnet.folder.outputs import Output
from hmnet.storage.files import write_bytes
from hmnet.storage.manifest import list_recorded
from hmnet.version import VERSION
from relevance.matrices.comparison import measure_rank_agreement
from relevance.matrices.gain_table import Gain, GainTable, PairGains
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.measure import Measure
from relevance.measures.registry import identify_measure
from reports.inputs.report_inputs import ReportInputs, read_inputs
from reports.page.downloads import link_csv
from reports.page.plots import (
    plot_attention,
    plot_attention_layers,
    plot_combination_sweep,
    plot_curves,
    plot_groups,
    plot_layer_sweep,
    plot_scores,
    plot_worth,
)
from reports.style.formatting import clean, format_number, format_percent
from reports.style.palette import write_cell_rules, write_variables
from reports.tables.asked_rows import list_asked
from reports.tables.collapsed_rows import count_collapses, list_collapses
from reports.tables.designs import list_designs, recall_origin, tell_budget
from reports.tables.influence_bars import build_influences, choose_focus
from reports.tables.matrix_table import HeatTable, build_heat
from reports.tables.score_rows import build_scores
from reports.tables.target_rows import describe_shares, list_targets
from reports.tables.task_order import order_tasks
from reports.tables.task_rows import list_tasks
from reports.tables.worth_rows import list_worth
from reports.words.answer import summarise_report
from reports.words.next_steps import STAGES, in_folder
from reports.words.origin import list_commands, list_data, list_documents, list_facts, sum_costs

_TEMPLATES = files("reports") / "templates"
MOST_LISTED_PAIRS = 5


def write_report(out: Path, focus: str | None = None) -> Path:
    """Write `report.html` into an output folder and return its path.

    Args:
        focus: the task that Figure 2 opens with; None chooses the one that loses most.

    Raises:
        OutputFolderError: if there is no such folder.
        InputError: if `focus` is not a task of the study, or has no gains in its matrix.
    """
    inputs = read_inputs(out)
    if focus is not None:
        _check_focus(focus, inputs)
    path = Output(out).report
    text = render_report(replace(inputs, focus=focus))
    with deriving(Sources("relevance report", files=note_files(Output(out), *_list_shown(out)))):
        write_bytes(path, text.encode("utf-8", errors="replace"))
    return path


def _list_shown(out: Path) -> list[Path]:
    try:
        return [path for path in list_recorded(out) if path != Output(out).report]
    except InputError:  # the page says so
        return []


def _check_focus(focus: str, inputs: ReportInputs) -> None:
    known, what = inputs.tasks, "study"
    if focus in known and inputs.pairwise is not None:
        known, what = inputs.pairwise.tasks, "pairwise matrix"
    if focus not in known:
        raise InputError(
            f"Parameter `focus` should be a task of the {what}. Found `{focus}`."
            f"{suggest(focus, known)}"
        )


def render_report(inputs: ReportInputs) -> str:
    """Return the report as HTML; equal inputs give equal text."""
    script = _read("report.js")
    page = _template().render(
        script=Markup(script),  # noqa: S704 (a file of this package)
        script_hash=_hash(script),
        style=Markup(_write_style()),  # noqa: S704 (files of this package)
        version=VERSION,
        **_build_context(inputs),
    )
    return clean(page)


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(_read),
    )
    environment.filters["percent"] = format_percent
    environment.filters["decimal"] = format_number
    environment.filters["csv"] = link_csv
    environment.filters["numbers"] = _list_numbers
    return environment.get_template("report.html")


def _list_numbers(gain: Gain) -> list[tuple[float, str]]:
    """Return what a gain's row shows after the names: numbers to sort by, and their text."""
    shares = [
        (value, format_percent(value, 2, signed=True))
        for value in (gain.value, gain.low, gain.high)
    ]
    counts = [(count, format_number(count, 0)) for count in (gain.runs, gain.dev)]
    return [*shares, (gain.q, format_number(gain.q, 3)), *counts]


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _write_style() -> str:
    light, dark = (write_variables(theme) for theme in (0, 1))
    return (
        f":root{{color-scheme:light;{light}}}"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light])"
        f"{{color-scheme:dark;{dark}}}}}"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}"
        f"@media print{{:root:root{{color-scheme:light;{light}}}}}"
        f"{write_cell_rules()}{_read('report.css')}"
    )


def _build_context(inputs: ReportInputs) -> dict[str, object]:
    commands = {stage: in_folder(command, inputs.name) for stage, command in STAGES.items()}
    return {
        "inputs": inputs,
        "summary": summarise_report(inputs),
        "commands": commands,
        **_build_groups(inputs),
        **_build_gains(inputs),
        **_build_vocabulary(inputs),
        "measures": list(_build_measures(inputs)),
        "worth_rows": list_worth(inputs.agreement),
        "worth_plot": plot_worth(inputs),
        **_build_comparison(inputs),
        **_build_training(inputs),
        "asked": list_asked(inputs),
        "task_rows": list_tasks(inputs.data),
        "facts": list_facts(inputs),
        "data": list_data(inputs.runs),
        "documents": list(list_documents(inputs)),
        "reproduce": list_commands(inputs),
    }


def _build_groups(inputs: ReportInputs) -> dict[str, object]:
    order = order_tasks(inputs.groups.tasks, inputs.groups) if inputs.groups is not None else None
    return {"group_order": order, "group_plot": plot_groups(inputs)}


def _build_gains(inputs: ReportInputs) -> dict[str, object]:
    table = inputs.gains
    if inputs.pairwise is None or table is None:
        return {"gain_heat": None, "gains": None, "influences": [], "focus": None}
    return {
        "gain_heat": build_heat(inputs.pairwise, inputs.groups, table),
        "gains": table,
        "influences": build_influences(table, inputs.pairwise.tasks),
        "focus": inputs.focus or choose_focus(table),
        "pairs": _list_pairs(table),
        "parts": list(describe_shares(inputs)),
        "target_rows": list_targets(inputs),
    }


def _list_pairs(table: GainTable) -> tuple[list[PairGains], list[PairGains]]:
    """Return the pairs that hurt each other most, and those that help each other most."""
    pairs = table.sound_pairs
    losing = [pair for pair in pairs if pair.mean < 0][:MOST_LISTED_PAIRS]
    winning = [pair for pair in reversed(pairs) if pair.mean > 0][:MOST_LISTED_PAIRS]
    return losing, winning


def _build_vocabulary(inputs: ReportInputs) -> dict[str, object]:
    if inputs.vocabulary is None:
        return {"share_heat": None, "agreement": ""}
    return {
        "share_heat": build_heat(inputs.vocabulary, inputs.groups),
        "agreement": _tell_agreement(inputs.pairwise, inputs.vocabulary),
    }


@dataclass(frozen=True)
class MeasureSection:
    """A measure that was asked for by name, as the page shows it.

    Attributes:
        agreement: its rank correlation with the gains; empty where there is none.
    """

    measure: Measure
    matrix: RelevanceMatrix
    heat: HeatTable
    agreement: str


def _build_measures(inputs: ReportInputs) -> Iterator[MeasureSection]:
    for name, matrix in inputs.further.items():
        if (measure := identify_measure(name)) is not None:
            heat = build_heat(matrix, inputs.groups)
            agreement = _tell_agreement(inputs.pairwise, matrix)
            yield MeasureSection(measure, matrix, heat, agreement)


def _tell_agreement(pairwise: RelevanceMatrix | None, other: RelevanceMatrix) -> str:
    if pairwise is None:
        return ""
    value = measure_rank_agreement(pairwise, other)
    return "" if math.isnan(value) else format_number(value, 2)


def _build_comparison(inputs: ReportInputs) -> dict[str, object]:
    table = inputs.scores
    if inputs.comparison is None or table is None:
        return {"scores": None}
    origin = inputs.comparison_origin
    if not origin.systems:
        origin = recall_origin(inputs.comparison, inputs.runs)
    return {
        "scores": build_scores(table),
        "score_plot": plot_scores(table, inputs.comparison),
        "budget": tell_budget(origin),
        "designs": list_designs(origin),
    }


def _build_training(inputs: ReportInputs) -> dict[str, object]:
    collapses = list_collapses(inputs)
    return {
        "costs": sum_costs(inputs.runs),
        "collapses": collapses,
        "collapse_counts": count_collapses(inputs, collapses),
        "curve_plot": plot_curves(inputs),
        "sweeps": [p for p in (plot_layer_sweep(inputs), plot_combination_sweep(inputs)) if p],
        "attention_plot": plot_attention(inputs),
        "layers_plot": plot_attention_layers(inputs),
    }
