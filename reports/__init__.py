"""Figures, and one HTML file that a person opens to see what a study found.

>>> from hmnet.folder.outputs import open_output
>>> from relevance.matrices.reference import load_reference
>>> from reports import draw_heatmap, read_inputs, summarise_report, write_figures, write_report
>>> from pathlib import Path
>>> output = open_output(Path("relevance-out"))
>>> load_reference("paper:table3").write(output.pairwise)
>>> write_report(output.folder)  # the page, which needs nothing else
PosixPath('relevance-out/report.html')
>>> inputs = read_inputs(output.folder)
>>> summarise_report(inputs).headline
'13 tasks, 156 measured gains'
>>> draw_heatmap(inputs.pairwise, width_in=3.03).get_size_inches().round(2).tolist()
[3.03, 2.82]
>>> [path.name for path in write_figures(output.folder, Path("figures"), "svg")][:2]
['pairwise.one-column.svg', 'pairwise.two-columns.svg']

A name is imported when it is asked for: matplotlib comes with the first figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.figure_files import list_drawings, write_figures
    from reports.figures.attention_maps import draw_attention, draw_attention_layers
    from reports.figures.grouping_figures import draw_dendrogram, draw_together
    from reports.figures.heatmap import draw_heatmap
    from reports.figures.influence import draw_influence
    from reports.figures.layer_sweeps import draw_layer_combinations, draw_shared_layers
    from reports.figures.loss_panels import draw_curves
    from reports.figures.paper_style import ONE_COLUMN_IN, TWO_COLUMNS_IN
    from reports.figures.svg import save_figure
    from reports.figures.system_scores import draw_scores
    from reports.figures.worth_chart import draw_worth
    from reports.html import render_report, write_report
    from reports.inputs.report_inputs import ReportInputs, read_inputs
    from reports.inputs.score_table import ScoreTable, arrange_scores
    from reports.latex_tables import write_tables
    from reports.words.answer import ReportSummary, summarise_report
    from reports.words.finding import Finding
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "ONE_COLUMN_IN",
    "TWO_COLUMNS_IN",
    "Finding",
    "ReportInputs",
    "ReportSummary",
    "ScoreTable",
    "arrange_scores",
    "draw_attention",
    "draw_attention_layers",
    "draw_curves",
    "draw_dendrogram",
    "draw_heatmap",
    "draw_influence",
    "draw_layer_combinations",
    "draw_scores",
    "draw_shared_layers",
    "draw_together",
    "draw_worth",
    "list_drawings",
    "read_inputs",
    "render_report",
    "save_figure",
    "summarise_report",
    "write_figures",
    "write_report",
    "write_tables",
]
