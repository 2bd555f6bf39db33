"""The decomposition and the plain rules of a sweep's matrix, written beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from pydantic.dataclasses import dataclass

from analysis.gains.bootstrap import GainBootstrap
from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import PreparedStudy
from hmnet.storage.documents import write_document
from hmnet.study.settings import STRICT
from relevance.matrices.decomposition import (
    Decomposition,
    SizeRule,
    decompose,
    is_decomposable,
    judge_additive,
    judge_size_rule,
    predict_additive,
)
from relevance.matrices.matrix import RelevanceMatrix
from relevance.pairwise.sweep_record_format import DECOMPOSITION_SCHEMA
from relevance.pairwise.text import LEVEL, describe_parts


@dataclass(frozen=True, config=STRICT)
class EffectsRecord:
    """`pairwise-decomposition.json`; see `relevance.matrices.decomposition`.

    Attributes:
        matrix: identity of the matrix.
        mean: mean gain.
        row: source to how much more than average it helps.
        column: target to how much more than average it is helped.
        shares: `row`, `column` and `interaction` to their share of the gains' variance; None for
            equal gains.
        noise_shares: the same from noise alone.
        additive_spearman: target to how well the additive baseline ranks its sources.
        size_rule: cells where "larger helps smaller" is right, and cells judged.
        size_rule_significant: the same among the cells beyond noise.
    """

    matrix: str
    mean: float
    row: dict[str, float]
    column: dict[str, float]
    shares: dict[str, float] | None
    noise_shares: dict[str, float] | None
    additive_spearman: dict[str, float | None]
    size_rule: tuple[int, int]
    size_rule_significant: tuple[int, int]


def write_effects(
    output: Output, prepared: PreparedStudy, matrix: RelevanceMatrix, found: GainBootstrap
) -> Iterator[str]:
    """Write decomposition and additive baseline; yield what they say.

    A matrix of fewer than three tasks, or with too few cells, has neither: files of an earlier one
    are removed.
    """
    if not is_decomposable(matrix):
        output.decomposition.unlink(missing_ok=True)
        output.additive.unlink(missing_ok=True)
        return
    draws = found.draws() if found.tasks == matrix.tasks else None
    parts = decompose(matrix, draws)
    sizes = {name: len(data.train) for name, data in prepared.data.items()}
    rules = judge_size_rule(matrix, sizes), judge_size_rule(matrix, sizes, LEVEL)
    rho = judge_additive(matrix)
    ranks = {str(t): None if np.isnan(r) else float(r) for t, r in rho.items()}
    predict_additive(matrix).write(output.additive)
    record = _to_record(matrix, parts, ranks, *rules)
    write_document(output.decomposition, DECOMPOSITION_SCHEMA, record)
    if record.shares is not None:
        yield describe_parts(record.shares, record.noise_shares)
    if rho.notna().any():
        yield (
            "a source's mean effect on the other targets ranks it with rho "
            f"{rho.mean():.2f} (the additive baseline)"
        )
    if rules[0].judged:
        yield (
            f"larger helps smaller: right in {rules[0].right} of {rules[0].judged} gains, and in "
            f"{rules[1].right} of the {rules[1].judged} beyond noise"
        )


def _to_record(
    matrix: RelevanceMatrix,
    parts: Decomposition,
    ranks: dict[str, float | None],
    rule: SizeRule,
    sure: SizeRule,
) -> EffectsRecord:
    noise = parts.noise_shares
    return EffectsRecord(
        matrix=matrix.identity,
        mean=parts.mean,
        row={str(k): float(v) for k, v in parts.row.items()},
        column={str(k): float(v) for k, v in parts.column.items()},
        shares=_find_known(parts.shares),
        noise_shares=None if noise is None else _find_known(noise),
        additive_spearman=ranks,
        size_rule=(rule.right, rule.judged),
        size_rule_significant=(sure.right, sure.judged),
    )


def _find_known(shares: Mapping[str, float]) -> dict[str, float] | None:
    return None if any(np.isnan(share) for share in shares.values()) else dict(shares)
