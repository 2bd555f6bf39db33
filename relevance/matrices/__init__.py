"""The relevance matrix: stored, published, judged and compared.

>>> from pathlib import Path
>>> from relevance.matrices import RelevanceMatrix, load_reference, tabulate_gains
>>> gains = load_reference("paper:table3")
>>> gains.select(["rte", "mnli"]).write(Path("mine.parquet"))
>>> RelevanceMatrix.read(Path("mine.parquet")).tasks
('rte', 'mnli')
>>> worst = tabulate_gains(gains).strongest(-1)[0]
>>> worst.source, worst.target, round(worst.value, 4)
('sst2', 'imdb', -0.0424)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relevance.matrices.comparison import (
        MatrixComparison,
        compare_matrices,
        describe_matrix_comparison,
        disattenuate,
        measure_reliability,
        permute_jointly,
        rank_agreement,
    )
    from relevance.matrices.decomposition import (
        Decomposition,
        SizeRule,
        decompose,
        is_decomposable,
        judge_additive,
        judge_size_rule,
        predict_additive,
    )
    from relevance.matrices.draws import draws_path, find_draws, read_draws, write_draws
    from relevance.matrices.find import find_matrix
    from relevance.matrices.gain_table import (
        Gain,
        GainTable,
        PairGains,
        declares_gains,
        holds_gains,
        tabulate_gains,
    )
    from relevance.matrices.manual import manual_groups, manual_matrix
    from relevance.matrices.matrix import COLUMNS, MATRIX_SCHEMA, UNCERTAINTY, RelevanceMatrix
    from relevance.matrices.reference import PUBLISHED, REFERENCES, load_reference, published_groups
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "COLUMNS",
    "MATRIX_SCHEMA",
    "PUBLISHED",
    "REFERENCES",
    "UNCERTAINTY",
    "Decomposition",
    "Gain",
    "GainTable",
    "MatrixComparison",
    "PairGains",
    "RelevanceMatrix",
    "SizeRule",
    "compare_matrices",
    "declares_gains",
    "decompose",
    "describe_matrix_comparison",
    "disattenuate",
    "draws_path",
    "find_draws",
    "find_matrix",
    "holds_gains",
    "is_decomposable",
    "judge_additive",
    "judge_size_rule",
    "load_reference",
    "manual_groups",
    "manual_matrix",
    "measure_reliability",
    "permute_jointly",
    "predict_additive",
    "published_groups",
    "rank_agreement",
    "read_draws",
    "tabulate_gains",
    "write_draws",
]
