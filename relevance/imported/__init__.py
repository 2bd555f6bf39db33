r"""Results of any trainer, with the statistics of this package's own sweeps; and the way out.

Scores, dev predictions or a matrix become what `relevance pairwise` would have written, as far as
it is known:

>>> from pathlib import Path
>>> from relevance.imported import describe_missing, load_results
>>> rows = ["target,partner,seed,score", "a,,0,0.70", "a,,1,0.71", "a,b,0,0.77", "a,b,1,0.78"]
>>> rows += ["b,,0,0.80", "b,,1,0.81", "b,a,0,0.80", "b,a,1,0.82"]
>>> _ = Path("scores.csv").write_text("\n".join(rows))
>>> results = load_results(Path("scores.csv"))
>>> gains = results.matrix.to_frame()
>>> float(gains.loc["b", "a"].round(3))     # sources are rows: (.775 - .705) / .705
0.099
>>> for line in describe_missing(results):
...     print(line)
missing: how much other dev rows would change all targets: ...
missing: predictions (target, partner, seed, row, label, prediction): ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relevance.imported.exported import ExportOptions, write_export
    from relevance.imported.imported_results import (
        ImportedResults,
        ImportOptions,
        check_folder,
        describe_import,
        is_importable,
        load_results,
    )
    from relevance.imported.imported_scores import ImportedScores, ScoreOptions, read_scores
    from relevance.imported.missing import describe_missing, describe_plan
    from relevance.imported.prediction_table import PredictionTable, read_prediction_table
    from relevance.imported.score_measurement import bootstrap_scores, measure_scores
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "ExportOptions",
    "ImportOptions",
    "ImportedResults",
    "ImportedScores",
    "PredictionTable",
    "ScoreOptions",
    "bootstrap_scores",
    "check_folder",
    "describe_import",
    "describe_missing",
    "describe_plan",
    "is_importable",
    "load_results",
    "measure_scores",
    "read_prediction_table",
    "read_scores",
    "write_export",
]
