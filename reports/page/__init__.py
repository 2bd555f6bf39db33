"""Pictures and downloads of the one HTML file.

>>> import pandas as pd
>>> from reports.page import link_csv
>>> link_csv(pd.DataFrame({"task": ["rte"], "gain": [0.05]}))
'data:text/csv;charset=utf-8;base64,dGFzayxnYWluCnJ0ZSwwLjA1Cg=='
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.page.downloads import link_csv
    from reports.page.plots import (
        Plot,
        plot_attention,
        plot_attention_layers,
        plot_combination_sweep,
        plot_curves,
        plot_groups,
        plot_layer_sweep,
        plot_scores,
        plot_worth,
    )
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "Plot",
    "link_csv",
    "plot_attention",
    "plot_attention_layers",
    "plot_combination_sweep",
    "plot_curves",
    "plot_groups",
    "plot_layer_sweep",
    "plot_scores",
    "plot_worth",
]
