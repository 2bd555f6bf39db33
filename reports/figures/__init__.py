"""Pictures: the figures of a study as matplotlib figures, each by itself.

>>> from relevance.matrices.reference import load_reference
>>> from reports.figures import ONE_COLUMN_IN, draw_heatmap, save_figure
>>> figure = draw_heatmap(load_reference("paper:table3"), width_in=ONE_COLUMN_IN)
>>> save_figure(figure, "pdf")[:5]
b'%PDF-'

| function | shows | in the paper |
| --- | --- | --- |
| `draw_heatmap` | a relevance matrix, annotated; rows sources, columns targets | Tables 2, 3 |
| `draw_influence` | what the others do to one task, and what it does to them | Figure 2 |
| `draw_dendrogram` | how alike the tasks' rows are | appendix A |
| `draw_together` | how often resampling puts two tasks into one group | |
| `draw_scores` | scores of several systems per task | Table 1 |
| `draw_curves` | training loss per task | |
| `draw_shared_layers` | scores against the number of shared layers | Figure 3 |
| `draw_layer_combinations` | average score of each {x,y,z} and grouping | Figure 4 |
| `draw_attention` | similarity of attention maps per layer and head | Figures 5, 6 |
| `draw_attention_layers` | the same beside the pairs' gains, per layer | |
| `draw_worth` | what each cheap measure tells of the gains, and its cost | |

Widths are in inches, `ONE_COLUMN_IN` and `TWO_COLUMNS_IN` for papers; `save_figure` makes
files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.figures.attention_maps import draw_attention, draw_attention_layers
    from reports.figures.grouping_figures import draw_dendrogram, draw_together
    from reports.figures.heatmap import draw_heatmap
    from reports.figures.influence import draw_influence
    from reports.figures.layer_sweeps import draw_layer_combinations, draw_shared_layers
    from reports.figures.loss_panels import draw_curves
    from reports.figures.paper_style import ONE_COLUMN_IN, TWO_COLUMNS_IN, using_font
    from reports.figures.svg import Format, embed_svg, save_figure
    from reports.figures.system_scores import draw_scores
    from reports.figures.worth_chart import draw_worth
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "ONE_COLUMN_IN",
    "TWO_COLUMNS_IN",
    "Format",
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
    "embed_svg",
    "save_figure",
    "using_font",
]
