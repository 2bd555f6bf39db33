"""What an output folder holds, read once for a report.

What is missing is None, and what is broken a sentence:

>>> from pathlib import Path
>>> from hmnet.folder.outputs import open_output
>>> from reports.inputs import read_inputs
>>> output = open_output(Path("relevance-out"))
>>> output.groups.write_text("no groups") > 0
True
>>> inputs = read_inputs(output.folder)
>>> inputs.pairwise is None, inputs.groups is None
(True, True)
>>> inputs.problems
('groups.json: the file should be JSON. Found: Expecting value: line 1 column 1 (char 0).',)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.inputs.comparison_origin import (
        ComparisonOrigin,
        RowsOrigin,
        SystemOrigin,
        TrainingOrigin,
    )
    from reports.inputs.hierarchy_sweeps import CombinationSweep, LayerSweep
    from reports.inputs.loss_curves import Curve
    from reports.inputs.report_inputs import AskedTarget, ReportInputs, read_inputs
    from reports.inputs.run_index import RUN_KINDS, RunIndex, RunKind, RunRecord, read_runs
    from reports.inputs.score_table import (
        Difference,
        Score,
        ScoreTable,
        Standing,
        arrange_scores,
        label_system,
    )
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "RUN_KINDS",
    "AskedTarget",
    "CombinationSweep",
    "ComparisonOrigin",
    "Curve",
    "Difference",
    "LayerSweep",
    "ReportInputs",
    "RowsOrigin",
    "RunIndex",
    "RunKind",
    "RunRecord",
    "Score",
    "ScoreTable",
    "Standing",
    "SystemOrigin",
    "TrainingOrigin",
    "arrange_scores",
    "label_system",
    "read_inputs",
    "read_runs",
]
