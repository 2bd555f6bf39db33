"""The decomposition and the plain rules of a sweep's matrix, for a file beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from pydantic.dataclasses import dataclass as validated

from analysis.gains.bootstrap import GainBootstrap
from analysis.levels import SIGNIFICANCE
from hmnet.folder.outputs import Output
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
from relevance.pairwise.sweep_text import describe_parts


@validated(frozen=True, config=STRICT)
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


@dataclass(frozen=True)
class Effects:
    """What main effects say of a matrix.

    Attributes:
        record: the decomposition and the plain rules.
        additive: the additive baseline.
    """

    record: EffectsRecord
    additive: RelevanceMatrix

    def write(self, output: Output) -> None:
        """Write the additive baseline and the decomposition."""
        self.additive.write(output.additive)
        write_document(output.decomposition, DECOMPOSITION_SCHEMA, self.record)


def measure_effects(
    matrix: RelevanceMatrix, found: GainBootstrap | None, n_train: Mapping[str, int] | None
) -> Effects | None:
    """Return the decomposition and the plain rules of a sweep's matrix.

    None for a matrix of fewer than three tasks, or with too few cells.

    Args:
        found: how noisy the gains are; None where that is not known.
        n_train: task to its number of training examples; None where these are not known, so that
            no gain is judged by sizes.
    """
    if not is_decomposable(matrix):
        return None
    draws = found.draws() if found is not None and found.tasks == matrix.tasks else None
    parts = decompose(matrix, draws)
    rules = SizeRule(0, 0), SizeRule(0, 0)
    if n_train is not None:
        rules = judge_size_rule(matrix, n_train), judge_size_rule(matrix, n_train, SIGNIFICANCE)
    ranks = {str(t): None if np.isnan(r) else float(r) for t, r in judge_additive(matrix).items()}
    return Effects(_to_record(matrix, parts, ranks, *rules), predict_additive(matrix))


def remove_effects(output: Output) -> None:
    """Remove the files of an earlier matrix that had effects."""
    output.decomposition.unlink(missing_ok=True)
    output.additive.unlink(missing_ok=True)


def describe_effects(record: EffectsRecord) -> Iterator[str]:
    """Yield what the decomposition and the plain rules say."""
    if record.shares is not None:
        yield describe_parts(record.shares, record.noise_shares)
    known = [rho for rho in record.additive_spearman.values() if rho is not None]
    if known:
        yield (
            "a source's mean effect on the other targets ranks it with rho "
            f"{np.mean(known):.2f} (the additive baseline)"
        )
    (right, judged), (sure_right, sure_judged) = record.size_rule, record.size_rule_significant
    if judged:
        yield (
            f"larger helps smaller: right in {right} of {judged} gains, and in "
            f"{sure_right} of the {sure_judged} beyond noise"
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
