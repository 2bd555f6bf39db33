"""From a matrix to groups that say how far they can be trusted.

Beside the groups stands: how many there are (`--k auto`), how often resampled examples and seeds
give the same ones (`stability.parquet`), and what they are worth next to one group of all tasks
and to no groups at all.

A matrix without bootstrap draws (a published table, vocabulary, a file) gets groups, and one line
about what cannot be said of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

import numpy as np

from analysis.arrays import Floats, Labels
from analysis.gains.posterior import LEAST_DRAWS, LEAST_TASKS
from analysis.levels import SIGNIFICANCE
from analysis.partitions.agreement import to_labels
from analysis.partitions.decision import Decision
from analysis.partitions.per_draw import measure_gain
from analysis.partitions.stability import (
    GroupStability,
    measure_stability,
    repeat_study,
    tabulate_together,
)
from analysis.partitions.structure import Structure, find_structure
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.storage.tables import write_table
from hmnet.study.hierarchy import Groups
from relevance.groups.advice import (
    EXPECTED,
    GIVEN,
    advise,
    describe_advice,
    describe_other,
    describe_void,
    is_worth_it,
    knows_noise,
    loses_to_other,
    to_beside,
    to_groups,
)
from relevance.groups.clustering import cluster, to_table
from relevance.groups.group_format import CLUSTERS, STABILITY
from relevance.groups.groupers import make_grouper
from relevance.groups.partition import MAX_TASKS, read_values
from relevance.groups.size_bands import (
    SizeBands,
    compare_with_sizes,
    describe_bands,
    find_sizes,
)
from relevance.matrices.gain_table import declares_gains
from relevance.matrices.holes import FilledMatrix, describe_reading, fill_holes
from relevance.matrices.matrix import RelevanceMatrix

LEAST_TASKS_FOR_K = 4
"""With three tasks there is nothing between one group and none but two against one."""


PAPER_METHOD = "kmeans"


class _MeanGain(TypedDict):
    k: int
    mean_gain: float


class MeanGain(_MeanGain, total=False):
    """What a task gains on average in k groups; its interval where there are draws."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class DoubtedGroups:
    """Groups of a matrix's tasks, with how far they can be trusted.

    Attributes:
        matrix: what they were made from.
        method: the method that made them.
        groups: the groups; their origin holds the figures below.
        structure: how the number of groups was chosen; None where it was given, and for gains.
        stability: how far draws agree with them; None without draws, and for trivial groups.
        compared: what a task gains on average in one group of all, in its group, and alone.
        has_draws: whether there were draws.
        decision: what the gains advise; None for a matrix of another measure. Groups whose number
            was given stand in it as `given`.
        knows_noise: whether draws say how noisy the gains are.
        few_draws: how many draws there were, where they are too few to say anything.
        bands: how far the groups follow the tasks' sizes, where the matrix tells these.
        reading: what was taken for granted about the matrix' values.
    """

    matrix: RelevanceMatrix
    method: str
    groups: Groups
    structure: Structure | None
    stability: GroupStability | None
    compared: Sequence[MeanGain]
    has_draws: bool
    decision: Decision | None = None
    knows_noise: bool = False
    few_draws: int = 0
    bands: SizeBands | None = None
    reading: tuple[str, ...] = ()

    def write(self, output: Output) -> tuple[Path, ...]:
        """Write groups, clusters and stability; a stability file of earlier groups is removed.

        Returns:
            The files that were written.
        """
        table, origin = to_table(self.groups, self.matrix), dict(self.groups.origin)
        written = [output.clusters, output.groups]
        output.stability.unlink(missing_ok=True)
        if self.stability is not None:
            table = table.assign(stability=self.stability.by_task)
            together = tabulate_together(self.stability.together, self.matrix.tasks)
            write_table(output.stability, together, STABILITY.schema, origin)
            written.append(output.stability)
        write_table(output.clusters, table, CLUSTERS.schema, origin)
        self.groups.write(output.groups)
        return tuple(written)


def parse_k(text: str) -> int | None:
    """Return the number of groups, None for `auto`.

    Raises:
        InputError: if it is neither.
    """
    if text == "auto":
        return None
    if not text.isdigit():
        raise InputError(f"Parameter `k` should be a whole number or auto. Found `{text}`.")
    return int(text)


def group_matrix(
    matrix: RelevanceMatrix,
    k: int | None,
    method: str | None = None,
    seed: int = 0,
    draws: Floats | None = None,
) -> DoubtedGroups:
    """Group the tasks of a matrix, with what can be relied on.

    Args:
        k: number of groups; None to choose it.
        method: see `relevance.groups.clustering.cluster`; None for the paper's, or, where k is
            chosen for gains, for what they advise (`relevance.groups.advice`).
        seed: seed of initialisations and null matrices.
        draws: the matrix in every bootstrap draw, [B, T, T].
    """
    few = 0 if draws is None or len(draws) >= LEAST_DRAWS else len(draws)
    draws = None if few else draws
    reading = fill_holes(matrix) if draws is None else FilledMatrix(matrix, ())
    found = _group_filled(reading.matrix, k, method, seed, draws)
    return replace(found, reading=tuple(describe_reading(reading)), few_draws=few)


def _group_filled(
    matrix: RelevanceMatrix, k: int | None, method: str | None, seed: int, draws: Floats | None
) -> DoubtedGroups:
    if method == EXPECTED and (k is not None or not declares_gains(matrix)):
        asked = "another measure" if k is None else f"k = {k}"
        raise InputError(
            f"Parameter `method` should be `{EXPECTED}` for `--k auto` on measured gains alone. "
            f"Found it for {asked}: `--method exact` takes a number."
        )
    if k is None and declares_gains(matrix):
        return _take_advice(matrix, method or EXPECTED, seed, draws)
    method = method or PAPER_METHOD
    structure = choose_k(matrix, method, draws, seed) if k is None else None
    count = k if structure is None else structure.k
    assert count is not None  # noqa: S101 (one of both is there)
    groups = cluster(matrix, count, method, seed)
    found = _doubt(matrix, groups, method, seed, draws)
    origin = {**found.groups.origin, **_describe_test(structure)}
    found = replace(found, groups=Groups(groups.groups, origin), structure=structure)
    return _set_beside_advice(found, draws) if declares_gains(matrix) else found


def _take_advice(
    matrix: RelevanceMatrix, method: str, seed: int, draws: Floats | None
) -> DoubtedGroups:
    """Group the tasks as their gains advise."""
    if method != EXPECTED:
        make_grouper(method, 1)  # says if there is no such method
    decision = advise(matrix, draws, method, seed)
    found = _doubt(matrix, to_groups(decision, matrix, method), method, seed, draws)
    return replace(found, decision=decision, knows_noise=knows_noise(matrix, draws))


def _set_beside_advice(found: DoubtedGroups, draws: Floats | None) -> DoubtedGroups:
    """Return groups of a given number with what the gains advise."""
    labels = to_labels(found.groups, found.matrix.tasks)
    decision = advise(found.matrix, draws, given=labels)
    knows = knows_noise(found.matrix, draws)
    beside = {"advice": to_beside(decision)} if knows or loses_to_other(decision) else {}
    groups = Groups(found.groups.groups, {**found.groups.origin, **beside})
    return replace(found, groups=groups, decision=decision, knows_noise=knows)


def _doubt(
    matrix: RelevanceMatrix, groups: Groups, method: str, seed: int, draws: Floats | None
) -> DoubtedGroups:
    """Return groups with their stability, and what they gain on the data that chose them."""
    labels = to_labels(groups, matrix.tasks)
    stability = None
    if draws is not None and 1 < len(groups.groups) < len(matrix.tasks):
        own, values = _resample_by(method, matrix, draws), matrix.to_frame().to_numpy(np.float64)
        again = _see_as(own, matrix, repeat_study(values, draws, seed))[1]
        seen = _see_as(own, matrix, draws)
        stability = measure_stability(*seen, labels, own, seed, again)
    compared = _compare(matrix, labels, draws)
    bands = _find_bands(groups, matrix)
    origin = {**groups.origin, **_to_origin(stability, compared), **_describe_bands(bands)}
    groups = Groups(groups.groups, origin)
    has_draws = draws is not None
    return DoubtedGroups(matrix, method, groups, None, stability, compared, has_draws, bands=bands)


def _find_bands(groups: Groups, matrix: RelevanceMatrix) -> SizeBands | None:
    of, sizes = find_sizes(matrix)
    if not sizes or not 1 < len(groups.groups) < len(matrix.tasks):
        return None
    return replace(compare_with_sizes(groups, sizes), of=of)


def _describe_bands(bands: SizeBands | None) -> dict[str, object]:
    if bands is None or not bands.are_bands:
        return {}
    return {"follows_sizes": {"share": bands.share, "p_value": bands.p_value, "of": bands.of}}


def _resample_by(method: str, matrix: RelevanceMatrix, draws: Floats) -> str:
    """Return the method by which repetitions are grouped: the gains' own, where it can be tried."""
    if method != EXPECTED:
        return method
    if len(matrix.tasks) > MAX_TASKS:
        return "spectral"
    is_enough = len(matrix.tasks) >= LEAST_TASKS
    return EXPECTED if is_enough and knows_noise(matrix, draws) else "exact"


def name_source(found: DoubtedGroups, source: str | None) -> DoubtedGroups:
    """Return groups whose origin says which `--matrix` they were made from, if one was named."""
    if source is None:
        return found
    origin = {**found.groups.origin, "source": source}
    return replace(found, groups=Groups(found.groups.groups, origin))


def write_manual_groups(
    output: Output, groups: Groups, matrix: RelevanceMatrix
) -> tuple[Path, ...]:
    """Write groups that were not computed, and how the tasks lie in them; return the files."""
    origin = dict(groups.origin)
    write_table(output.clusters, to_table(groups, matrix), CLUSTERS.schema, origin)
    groups.write(output.groups)
    return output.clusters, output.groups


def choose_k(
    matrix: RelevanceMatrix, method: str, draws: Floats | None, seed: int = 0
) -> Structure:
    """Choose the number of groups (`analysis.partitions.structure`).

    Raises:
        InputError: for fewer than four tasks, or missing values.
    """
    if len(matrix.tasks) < LEAST_TASKS_FOR_K:
        raise InputError(
            f"Parameter `k` should be a number for fewer than {LEAST_TASKS_FOR_K} tasks. "
            "Found `auto`."
        )
    cluster(matrix, 2, method, seed)  # says what is wrong with the matrix or the method
    if draws is None:
        column = "ci_low" if method == "exact-lower-bound" else "value"
        plain = read_values(matrix, column, diagonal=column == "value")
        return find_structure(plain, method, seed=seed)
    values, shifted = _see_as(method, matrix, draws)
    return find_structure(values, method, shifted, seed=seed)


def _see_as(method: str, matrix: RelevanceMatrix, draws: Floats) -> tuple[Floats, Floats]:
    """Return the values that a method clusters, and the draws on their level."""
    values = matrix.to_frame().to_numpy(dtype=np.float64)
    if method != "exact-lower-bound":
        return values, draws
    low = read_values(matrix, "ci_low", diagonal=False)
    margin = np.where(np.eye(len(low), dtype=bool), 0.0, values - low)
    return values - margin, draws - margin


def _compare(matrix: RelevanceMatrix, labels: Labels, draws: Floats | None) -> list[MeanGain]:
    """Return what a task gains on average in one group of all, in its group, and alone."""
    if not declares_gains(matrix):
        return []
    values = matrix.to_frame().to_numpy(dtype=np.float64)
    size = len(values)
    rows = []
    for partition in (np.zeros_like(labels), labels, np.arange(size)):
        gain = float(measure_gain(values, partition)) / size
        row: MeanGain = {"k": int(partition.max()) + 1, "mean_gain": gain}
        if draws is not None:
            # exactly .025, as groups.json always had it: (1 - .95) / 2 differs in its last bit
            gains = measure_gain(draws, partition) / size
            low, high = np.quantile(gains, [SIGNIFICANCE / 2, 1 - SIGNIFICANCE / 2])
            row |= {"low": float(low), "high": float(high)}
        rows.append(row)
    return list({row["k"]: row for row in rows}.values())


def _to_origin(stability: GroupStability | None, compared: Sequence[MeanGain]) -> dict[str, object]:
    origin: dict[str, object] = {}
    if stability is not None:
        origin["resampling"] = stability.to_origin()
    return {**origin, "compared": list(compared)} if compared else origin


def _describe_test(structure: Structure | None) -> dict[str, object]:
    """Return how the number of groups was chosen, for their origin."""
    if structure is None:
        return {}
    return {
        "auto": {
            "best": structure.best,
            "p_values": dict(structure.p_values),
            "z": {str(k): z for k, z in structure.z.items()},
        }
    }


def _describe_structure(structure: Structure, method: str, has_draws: bool) -> Iterator[str]:
    if structure.k > 1:
        yield (f"{structure.k} groups stand out most from chance (p = {structure.p_value:.3f})")
    else:
        yield (
            f"warning: no structure found (p = {structure.p_value:.2f}): {method} would group "
            "sources and targets shuffled, or pure noise, as well; all tasks are left in one group"
        )
    if not has_draws:
        yield "tested against shuffled values only: how noisy they are is not known"


def describe_doubt(found: DoubtedGroups) -> Iterator[str]:
    """Yield what the groups are worth and how far they can be trusted."""
    yield from found.reading
    if found.structure is not None:
        yield from _describe_structure(found.structure, found.method, found.has_draws)
    if found.decision is not None:
        yield from describe_void(found.matrix)
    if found.decision is not None and GIVEN not in found.decision.others:
        yield from describe_advice(found.decision, knows_noise=found.knows_noise)
    size = len(found.matrix.tasks)
    if found.compared:
        parts = [f"{_name(row['k'], size)} {_format(row)}" for row in found.compared]
        yield f"a task's mean gain: {', '.join(parts)}; on the data that chose the groups"
    loss = found.groups.origin.get("kmeans_loss")
    if isinstance(loss, int | float) and loss > 0:
        yield f"the best {len(found.groups.groups)} groups by gain give {loss / size:.1%} more"
    if found.decision is not None and GIVEN in found.decision.others:
        yield from describe_other(found.decision)
        yield from _describe_measured(found, found.decision)
    yield from _describe_lack(found)
    if found.stability is not None:
        yield from _describe_stability(found.matrix, found.stability, found.decision)
    yield from describe_bands(found.bands)


def _describe_measured(found: DoubtedGroups, decision: Decision) -> Iterator[str]:
    """Yield that one group of all, or none, has more measured gain than given groups, if so.

    Nothing where noise is known: what is to be expected is said then.
    """
    own = next((row for row in found.compared if row["k"] == len(found.groups.groups)), None)
    if own is None or found.knows_noise or loses_to_other(decision):
        return
    best = max(found.compared, key=lambda row: row["mean_gain"])
    if best["mean_gain"] > own["mean_gain"] + 1e-9:
        name = _name(best["k"], len(found.matrix.tasks))
        yield (
            f"{name}, a task has more measured gain, {best['mean_gain']:+.1%}, than in these "
            f"groups, {own['mean_gain']:+.1%}: --k auto"
        )


def _describe_lack(found: DoubtedGroups) -> Iterator[str]:
    """Yield why nothing can be said of a repetition, if nothing can."""
    if found.few_draws:
        yield (
            f"bootstrap draws are too few ({found.few_draws} of {LEAST_DRAWS}) to say whether "
            "other seeds or examples would give these groups"
        )
    elif not found.has_draws:
        yield (
            "no dev predictions behind this matrix: whether other seeds or examples would give "
            "these groups cannot be said"
        )


def _name(k: int, size: int) -> str:
    return "all in one group" if k == 1 else "alone" if k == size else f"{k} groups"


def _format(row: MeanGain) -> str:
    text = f"{row['mean_gain']:+.1%}"
    has_interval = "low" in row and row["low"] < row["high"]
    return f"{text} ({row['low']:+.1%} to {row['high']:+.1%})" if has_interval else text


def _describe_stability(
    matrix: RelevanceMatrix, stability: GroupStability, decision: Decision | None
) -> Iterator[str]:
    chance = "" if np.isnan(stability.chance) else f", by chance up to {stability.chance:.2f}"
    if stability.is_said:
        yield (
            f"stability: a repetition of the study would agree with an adjusted Rand index of "
            f"{stability.mean:.2f} ({stability.low:.2f} to {stability.high:.2f}; "
            f"{stability.draws} drawn){chance}"
        )
    else:
        yield (
            "stability cannot be said: a repetition of the study may agree with none of these "
            f"groups or with all (adjusted Rand index {stability.low:.2f} to {stability.high:.2f}, "
            f"mean {stability.mean:.2f}{chance})"
        )
    if not stability.is_beyond_chance and is_worth_it(decision):
        yield (
            "these groups are no more stable than groups of noise: others would do about as well, "
            "but the gain is not in doubt"
        )
    elif not stability.is_beyond_chance:
        yield ("warning: these groups are no more stable than groups of noise; do not rely on them")
    shaky = [t for t, s in zip(matrix.tasks, stability.by_task, strict=True) if s < 0.5]
    if shaky:
        yield f"tasks whose company would change in most repetitions: {', '.join(shaky)}"
    if matrix.has_seed_noise is False:
        yield "one seed: draws leave out seed noise, and the groups look stabler than they are"
