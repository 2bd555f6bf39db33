r"""Tables for papers, in the layout of the paper's Tables 1 to 4: booktabs, a file each.

    write_tables(Path("relevance-out"), Path("tables"))      # then \input{tables/table1-systems}

table1-systems      scores of the systems, tasks by category, the best in bold
table2-vocabulary   vocabulary co-occurrence of each pair, sources as rows
table3-gains        relative gains of each pair, those beyond noise with a star
table4-tasks        rows, labels and metrics of each task
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from analysis.gains.paired import AVERAGE
from analysis.levels import SIGNIFICANCE
from hmnet.errors import InputError
from hmnet.storage.files import write_bytes
from relevance.matrices.matrix import RelevanceMatrix
from reports.inputs.report_inputs import ReportInputs, read_inputs
from reports.inputs.score_table import ScoreTable, label_system

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def write_tables(out: Path, folder: Path) -> list[Path]:
    """Write every table that an output folder has data for; return the files.

    Raises:
        OutputFolderError: if there is no such output folder.
        InputError: if it has data for none.
    """
    tables = dict(list_tables(read_inputs(out)))
    if not tables:
        raise InputError(
            f"Parameter `out` should be a folder with a comparison, a matrix or described tasks. "
            f"Found `{out}`: run `relevance vocab`, `relevance pairwise`, `relevance tasks` or "
            "`hmnet compare` first."
        )
    for name, text in tables.items():
        write_bytes(folder / f"{name}.tex", text.encode())
    return [folder / f"{name}.tex" for name in tables]


def list_tables(inputs: ReportInputs) -> Iterator[tuple[str, str]]:
    """Yield name and LaTeX of each table that there is data for."""
    categories = _read_categories(inputs.data)
    if inputs.scores is not None:
        yield "table1-systems", render_scores(inputs.scores, categories)
    if inputs.vocabulary is not None:
        yield "table2-vocabulary", render_matrix(inputs.vocabulary)
    if inputs.pairwise is not None:
        yield "table3-gains", render_matrix(inputs.pairwise, signed=True)
    if inputs.data is not None:
        yield "table4-tasks", render_tasks(inputs.data)


def escape(text: object) -> str:
    r"""Return text as LaTeX prints it.

    >>> escape("50 % of sst_2")
    '50 \\% of sst\\_2'
    """
    return "".join(_SPECIAL.get(sign, sign) for sign in str(text))


def render_scores(scores: ScoreTable, categories: dict[str, str]) -> str:
    """Return Table 1: a row per task, under its category, and the average; scores in percent."""
    head = ["", *(escape(label_system(system)) for system in scores.systems)]
    body: list[str] = []
    for category, tasks in _group(scores.tasks, categories):
        body += [_span(category, len(head))] if category else []
        body += [_row([escape(task), *_show_scores(scores, task)]) for task in tasks]
    average = _row(["Average", *_show_scores(scores, AVERAGE)])
    return _tabular("l" + "r" * len(scores.systems), [_row(head)], [*body, r"\midrule", average])


def _show_scores(scores: ScoreTable, task: str) -> Iterator[str]:
    best = scores.best(task)
    for system in scores.systems:
        score = scores.score(system, task)
        shown = "--" if score is None else f"{100 * score.value:.1f}"
        is_best = score is not None and round(score.value, 3) >= best
        yield rf"\textbf{{{shown}}}" if is_best else shown


def render_matrix(matrix: RelevanceMatrix, *, signed: bool = False) -> str:
    """Return Table 2 or 3: sources as rows, targets as columns, in percent.

    Args:
        signed: with a sign, and a star where a value is beyond noise.
    """
    wide = matrix.to_frame().mul(100)
    sure = (matrix.to_frame("q_value") < SIGNIFICANCE).to_numpy() & signed
    head = ["", *map(escape, matrix.tasks)]
    rows = [
        _row([escape(source), *map(_show_cell, values, stars, [signed] * len(values))])
        for source, values, stars in zip(matrix.tasks, wide.to_numpy(), sure, strict=True)
    ]
    return _tabular("l" + "r" * len(matrix.tasks), [_row(head)], rows)


def _show_cell(value: float, is_sure: bool, signed: bool) -> str:
    if math.isnan(value):
        return "--"
    text = f"{value:+.2f}" if signed and value else f"{value:.2f}"
    return text.replace("-", "$-$") + ("$^*$" if is_sure else "")


def render_tasks(table: pd.DataFrame) -> str:
    """Return Table 4: training and dev rows, labels and metrics of each task, by category."""
    head = [_row(["Corpus", r"\#Train", r"\#Dev", r"\#Label", "Metrics"])]
    body: list[str] = []
    names = list(dict.fromkeys(table["task"].astype(str)))
    for category, tasks in _group(names, _read_categories(table)):
        body += [_span(category, 5)] if category else []
        body += [_show_task(name, table[table["task"] == name]) for name in tasks]
    return _tabular("lrrrl", head, body)


def _show_task(name: str, rows: pd.DataFrame) -> str:
    is_train = rows["split"] == "train"
    counts = [int(rows.loc[part, "rows"].sum()) for part in (is_train, ~is_train)]
    first = rows.iloc[0]
    cells = [name, *(f"{count:,}" for count in counts), int(first["labels"]), first["metrics"]]
    return _row(map(escape, cells))


def _read_categories(table: pd.DataFrame | None) -> dict[str, str]:
    if table is None:
        return {}
    return dict(zip(table["task"].astype(str), table["category"].astype(str), strict=True))


def _group(tasks: Sequence[str], categories: dict[str, str]) -> list[tuple[str, list[str]]]:
    """Return the tasks of each category, in the order of its first task; "" where all are alike."""
    found: dict[str, list[str]] = {}
    for task in tasks:
        found.setdefault(categories.get(task, ""), []).append(task)
    return list(found.items()) if len(found) > 1 else [("", list(tasks))]


def _span(text: str, columns: int) -> str:
    return rf"\multicolumn{{{columns}}}{{l}}{{\textsc{{{escape(text)}}}}} \\"


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _tabular(columns: str, head: Sequence[str], body: Sequence[str]) -> str:
    lines = [
        "% needs \\usepackage{booktabs}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"
