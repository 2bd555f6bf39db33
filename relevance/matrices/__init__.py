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
        measure_rank_agreement,
        measure_reliability,
        permute_jointly,
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
    from relevance.matrices.draws import locate_draws, read_draws, write_draws
    from relevance.matrices.gain_table import (
        Gain,
        GainTable,
        PairGains,
        holds_gains,
        tabulate_gains,
    )
    from relevance.matrices.manual import make_manual_groups, make_manual_matrix
    from relevance.matrices.matrix import COLUMNS, MATRIX_SCHEMA, UNCERTAINTY, RelevanceMatrix
    from relevance.matrices.reference import (
        PUBLISHED,
        REFERENCES,
        load_published_groups,
        load_reference,
    )
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
    "decompose",
    "describe_matrix_comparison",
    "disattenuate",
    "holds_gains",
    "is_decomposable",
    "judge_additive",
    "judge_size_rule",
    "load_published_groups",
    "load_reference",
    "locate_draws",
    "make_manual_groups",
    "make_manual_matrix",
    "measure_rank_agreement",
    "measure_reliability",
    "permute_jointly",
    "predict_additive",
    "read_draws",
    "tabulate_gains",
    "write_draws",
]
