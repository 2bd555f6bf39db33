"""How far two matrices of the same tasks agree.

    found = compare_matrices(RelevanceMatrix.read(a), RelevanceMatrix.read(b))
    found.targets            # a row per target
    found.p_value            # joint permutation of rows and columns

What a matrix is used for is to choose a target's partners, so it is compared target by target: how
the one ranks the sources of a target (Spearman; NDCG), and what is lost in the other's values by
taking the best of the first one's top k (regret@k). The whole is tested by permuting the tasks of
one matrix, rows and columns jointly (the quadratic assignment procedure, Hubert 1987): cells of a
row or column are no independent observations.

Each figure stands beside what a random ranking has on average, and the best that can be had: that
of the yardstick itself, judged by what a repetition of it would measure (its draws), or perfection
where nothing says how noisy it is. A random ranking of a dozen sources has an NDCG above .8.

Two noisy measures of the same thing correlate at most by the root of the product of their
reliabilities, which is divided out where a matrix says how noisy it is: reliability is the share
of the variance between a target's sources that is not noise. Draws give it; intervals give a lower
bound, because they hold what all sources of a target share as well.

Legend: B draws, T tasks, P permutations; sources are rows, targets columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.metrics import ndcg_score

from analysis.arrays import Floats
from analysis.gains.additive import find_cells
from analysis.ranks import rank_correlation
from hmnet.errors import InputError
from relevance.matrices.matrix import RelevanceMatrix

TOP = 3
PERMUTATIONS = 1999
JUDGED = 499
"""Most permutations for figures that are slow to compute."""
BEST_DRAWS = 100
LEAST_COMMON_TASKS = 4
LEAST_RELIABILITY = 0.05
NORMAL_WIDTH = 2 * 1.959964


@dataclass(frozen=True)
class Figure:
    """A figure of agreement, a mean over targets.

    Attributes:
        value: of the first matrix' ranking, judged by the second one's values.
        chance: of a random ranking, on average.
        best: of the second matrix' own ranking, judged by its draws; perfection without draws.
        p_value: of a value as good, joint permutation, one-sided.
    """

    value: float
    chance: float
    best: float
    p_value: float


@dataclass(frozen=True, eq=False)
class MatrixComparison:
    """What was found.

    Attributes:
        tasks: those that both matrices hold.
        targets: a row per target: `task`, `spearman` of both columns, `ndcg` of the first one's
            ranking by the second one's values, `regret` at `top`, in the second one's unit.
        top: k of regret@k.
        rows: mean Spearman correlation of the rows: which targets a source helps most.
        p_value: of the mean of `spearman`, joint permutation, one-sided.
        reliability: of each matrix, None where it does not say how noisy it is.
        figures: `spearman`, `ndcg` and `regret`, each beside chance and the best that can be had.
        disattenuated: the mean of `spearman` over the root of both reliabilities' product, at most
            1 in size; None where one is unknown or next to nothing.
    """

    tasks: tuple[str, ...]
    targets: pd.DataFrame
    top: int
    rows: float
    p_value: float
    reliability: tuple[float | None, float | None]
    figures: Mapping[str, Figure]
    disattenuated: float | None

    @property
    def spearman(self) -> float:
        """Mean over targets of the correlation of their sources' values."""
        return float(self.targets["spearman"].mean())


def compare_matrices(
    one: RelevanceMatrix,
    other: RelevanceMatrix,
    top: int = TOP,
    draws: tuple[Floats | None, Floats | None] = (None, None),
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> MatrixComparison:
    """Compare the tasks that both matrices hold; the second one is taken for the truth.

    Args:
        top: k of regret@k.
        draws: of each matrix, in its order of tasks.
        permutations: P.

    Raises:
        InputError: for fewer than four common tasks, or a k that is not positive.
    """
    tasks = tuple(task for task in one.tasks if task in other.tasks)
    if len(tasks) < LEAST_COMMON_TASKS or top < 1:
        raise InputError(
            f"Two matrices should have at least {LEAST_COMMON_TASKS} tasks in common, and `k` be "
            f"at least 1. Found {len(tasks)} tasks ({', '.join(tasks) or 'none'}) and `{top}`."
        )
    a, b = (_read(matrix, tasks) for matrix in (one, other))
    cells = find_cells(a) & find_cells(b)
    targets = _compare_targets(a, b, cells, tasks, top)
    reliability = (
        measure_reliability(one.select(tasks), _select(draws[0], one, tasks)),
        measure_reliability(other.select(tasks), _select(draws[1], other, tasks)),
    )
    mean = float(targets["spearman"].mean())
    p_value = permute_jointly(a, b, permutations, seed)
    yardstick = _select(draws[1], other, tasks)
    return MatrixComparison(
        tasks=tasks,
        targets=targets,
        top=top,
        rows=_average([_correlate(a.T, b.T, cells.T, t) for t in range(len(tasks))]),
        p_value=p_value,
        reliability=reliability,
        figures={
            "spearman": _judge_spearman(a, b, yardstick, mean, p_value),
            **_judge(a, b, yardstick, top, permutations, seed),
        },
        disattenuated=disattenuate(mean, *reliability),
    )


def _read(matrix: RelevanceMatrix, tasks: tuple[str, ...]) -> Floats:
    return matrix.select(tasks).to_frame().to_numpy(dtype=np.float64)


def _select(draws: Floats | None, matrix: RelevanceMatrix, tasks: tuple[str, ...]) -> Floats | None:
    if draws is None:
        return None
    place = [matrix.tasks.index(task) for task in tasks]
    return draws[:, np.array(place)[:, None], place]


def _compare_targets(
    a: Floats, b: Floats, cells: npt.NDArray[np.bool_], tasks: tuple[str, ...], top: int
) -> pd.DataFrame:
    rows = []
    for t, task in enumerate(tasks):
        guess, true = a[cells[:, t], t], b[cells[:, t], t]
        rows.append((task, rank_correlation(guess, true), *_rank_well(guess, true, top)))
    return pd.DataFrame(rows, columns=["task", "spearman", "ndcg", "regret"])


def _rank_well(guess: Floats, true: Floats, top: int) -> tuple[float, float]:
    """Return NDCG and regret@k, NaN where there is nothing to rank."""
    if len(true) < 2:
        return math.nan, math.nan
    worth = true - true.min()
    ndcg = float(ndcg_score(worth[None], guess[None])) if worth.max() > 0 else math.nan
    chosen = np.argsort(-guess, kind="stable")[:top]
    return ndcg, float(true.max() - true[chosen].max())


def _judge(
    a: Floats, b: Floats, draws: Floats | None, top: int, permutations: int, seed: int
) -> dict[str, Figure]:
    """Return NDCG and regret beside chance and the best that can be had."""
    own = _rank_all(a, b, top)
    rng = np.random.default_rng([seed, 1])
    orders = [rng.permutation(len(a)) for _ in range(min(permutations, JUDGED))]
    others = np.array([_rank_all(a[np.ix_(order, order)], b, top) for order in orders])
    again = [] if draws is None else [_rank_all(b, draw, top) for draw in draws[:BEST_DRAWS]]
    best = np.nanmean(again, axis=0) if len(again) else np.array([1.0, 0.0])
    chance = _expect_by_chance(a, b, top)
    signs = {"ndcg": 1, "regret": -1}
    return {
        name: Figure(own[i], chance[i], float(best[i]), _test(own[i], others[:, i], sign))
        for i, (name, sign) in enumerate(signs.items())
    }


def _test(own: float, others: Floats, sign: int) -> float:
    """Return the share of values that are as good, the own one among them; NaN without one."""
    if math.isnan(own):
        return math.nan
    return float((1 + (sign * others >= sign * own - 1e-12).sum()) / (1 + len(others)))


def _judge_spearman(
    a: Floats, b: Floats, draws: Floats | None, mean: float, p_value: float
) -> Figure:
    p_value = math.nan if math.isnan(mean) else p_value
    if draws is None:
        return Figure(mean, 0.0, 1.0, p_value)
    again = [_mean_rank_correlation(b, draw) for draw in draws[:BEST_DRAWS]]
    return Figure(mean, 0.0, float(np.mean(again)), p_value)


def _rank_all(a: Floats, b: Floats, top: int) -> tuple[float, float]:
    """Return NDCG and regret@k, each a mean over targets."""
    cells = find_cells(a) & find_cells(b)
    pairs = [(a[cells[:, t], t], b[cells[:, t], t]) for t in range(len(a))]
    ndcg = _average([_discount(guess, true) for guess, true in pairs])
    regret = _average([_regret(guess, true, top) for guess, true in pairs])
    return ndcg, regret


def _discount(guess: Floats, true: Floats) -> float:
    """Return NDCG, averaged over the orders of ties; NaN where there is nothing to rank."""
    worth, discount = _weigh(true)
    if not worth.any():
        return math.nan
    ideal = float(np.sort(worth)[::-1] @ discount)
    _, level, count = np.unique(-guess, return_inverse=True, return_counts=True)
    shared = np.add.reduceat(discount, np.cumsum(count) - count) / count
    return float(worth @ shared[level]) / ideal


def _weigh(true: Floats) -> tuple[Floats, Floats]:
    """Return what each source is worth, and the discount of each rank, [n] each."""
    worth = true - true.min() if len(true) > 1 else np.zeros(len(true))
    return worth, 1 / np.log2(np.arange(len(true)) + 2)


def _regret(guess: Floats, true: Floats, top: int) -> float:
    if len(true) < 2:
        return math.nan
    return float(true.max() - true[np.argsort(-guess, kind="stable")[:top]].max())


def _expect_by_chance(a: Floats, b: Floats, top: int) -> tuple[float, float]:
    """Return what random rankings have on average: NDCG and regret@k."""
    cells = find_cells(a) & find_cells(b)
    columns = [b[cells[:, t], t] for t in range(len(b))]
    ndcg, regret = [], []
    for true in columns:
        worth, discount = _weigh(true)
        if len(true) > 1:
            regret.append(max(float(true.max()) - _expect_best(true, top), 0.0))
        if worth.any():
            ndcg.append(float(worth.mean() * discount.sum() / (np.sort(worth)[::-1] @ discount)))
    return _average(ndcg), _average(regret)


def _expect_best(true: Floats, top: int) -> float:
    """Return the mean of the best of `top` values that are drawn without replacement."""
    count, chosen = len(true), min(top, len(true))
    ways = [math.comb(count - 1 - rank, chosen - 1) for rank in range(count)]
    return float(np.sort(true)[::-1] @ np.array(ways) / math.comb(count, chosen))


def _correlate(a: Floats, b: Floats, cells: npt.NDArray[np.bool_], column: int) -> float:
    kept = cells[:, column]
    return rank_correlation(a[kept, column], b[kept, column])


def _average(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def permute_jointly(a: Floats, b: Floats, permutations: int = PERMUTATIONS, seed: int = 0) -> float:
    """Return the p-value of the mean Spearman correlation of columns, one-sided.

    The tasks of `a` are permuted, rows and columns jointly; the identity counts as one of them.

    Args:
        a, b: [T, T]; the diagonal does not count. A cell that is missing in one moves with it.
    """
    size = len(a)
    own = _mean_rank_correlation(a, b)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(size) for _ in range(permutations)]
    found = [_mean_rank_correlation(a[np.ix_(order, order)], b) for order in orders]
    return float((1 + sum(rho >= own - 1e-12 for rho in found)) / (1 + permutations))


def _mean_rank_correlation(a: Floats, b: Floats) -> float:
    """Return the mean over columns of Spearman's correlation, 0 for columns without one."""
    cells = find_cells(a) & find_cells(b)
    x, y = (_rank_columns(np.where(cells, m, np.nan)) for m in (a, b))
    scale = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    rho = np.divide((x * y).sum(axis=0), scale, out=np.zeros_like(scale), where=scale > 0)
    return float(rho.mean())


def _rank_columns(values: Floats) -> Floats:
    """Return centred mid-ranks of each column, 0 where a value is missing."""
    ranks = stats.rankdata(values, axis=0, nan_policy="omit")
    count = np.isfinite(ranks).sum(axis=0)
    mean = np.where(np.isfinite(ranks), ranks, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.where(np.isfinite(ranks), ranks - mean, 0.0)


def measure_reliability(matrix: RelevanceMatrix, draws: Floats | None = None) -> float | None:
    """Return the share of the variance between a target's sources that is not noise.

    The mean over targets, each at least 0. None for a matrix with neither draws nor intervals.
    """
    values = matrix.to_frame().to_numpy(dtype=np.float64)
    cells = find_cells(values)
    if draws is not None:
        noise = _measure_spread(np.where(cells, draws - draws.mean(axis=0), np.nan)).mean(axis=0)
    else:
        low, high = (matrix.to_frame(name).to_numpy() for name in ("ci_low", "ci_high"))
        cells &= np.isfinite(low) & np.isfinite(high)
        if not cells.any():
            return None
        squares = np.where(cells, ((high - low) / NORMAL_WIDTH) ** 2, 0.0)
        noise = squares.sum(axis=0) / np.maximum(cells.sum(axis=0), 1)
    whole = _measure_spread(np.where(cells, values, np.nan)[None])[0]
    known = whole > 0
    if not known.any():
        return None
    return float(np.clip(1 - noise[known] / whole[known], 0.0, 1.0).mean())


def _measure_spread(stack: Floats) -> Floats:
    """Return the variance between the sources of each target, 0 for fewer than two, [B, T]."""
    count = np.isfinite(stack).sum(axis=1)
    filled = np.where(np.isfinite(stack), stack, 0.0)
    mean = filled.sum(axis=1) / np.maximum(count, 1)
    centred = np.where(np.isfinite(stack), stack - mean[:, None], 0.0)
    return (centred**2).sum(axis=1) / np.maximum(count - 1, 1)


def disattenuate(correlation: float, one: float | None, other: float | None) -> float | None:
    """Return the correlation that two measures without noise would have (Spearman 1904).

    A side whose noise is not known counts as free of it; None where both are unknown, or one is
    next to nothing but noise.
    """
    if one is None and other is None:
        return None
    both = (1.0 if one is None else one) * (1.0 if other is None else other)
    if both < LEAST_RELIABILITY or math.isnan(correlation):
        return None
    return float(np.clip(correlation / math.sqrt(both), -1.0, 1.0))


def describe_matrix_comparison(found: MatrixComparison, names: tuple[str, str]) -> Iterator[str]:
    """Yield what was found, in lines for the terminal; the second matrix is the yardstick."""
    one, other = names
    table = found.targets.assign(regret=100 * found.targets["regret"])
    table = table.rename(columns={"regret": f"regret@{found.top}"})
    is_empty = table.drop(columns="task").isna().all(axis=1)
    yield f"sources of each target as {one} ranks them, judged by {other}; regret in points of it"
    if not is_empty.all():
        yield table[~is_empty].round(2).to_string(index=False)
    if is_empty.any():
        yield f"nothing to rank for {', '.join(table.loc[is_empty, 'task'])}"
    yield f"mean over {len(found.tasks) - int(is_empty.sum())} targets:"
    yield from _describe_figures(found)
    yield f"which targets a source helps most: Spearman {found.rows:.2f} over rows"
    for name, reliability in zip(names, found.reliability, strict=True):
        known = "cannot be said" if reliability is None else f"{reliability:.2f}"
        yield f"reliability of {name}: {known}"
    if found.disattenuated is not None:
        yield f"disattenuated, without what noise takes from it: {found.disattenuated:.2f}"
    elif found.reliability != (None, None):
        yield "a matrix that is next to nothing but noise: no correlation without it can be given"


def _describe_figures(found: MatrixComparison) -> Iterator[str]:
    names = {
        "spearman": ("Spearman", 1),
        "ndcg": ("NDCG", 1),
        "regret": (f"regret@{found.top}", 100),
    }
    for name, (shown, scale) in names.items():
        figure = found.figures[name]
        if math.isnan(figure.value):
            yield f"  {shown} cannot be said: one of the matrices tells no sources apart"
            continue
        yield (
            f"  {shown} {scale * figure.value:.2f} (by chance {scale * figure.chance:.2f}, at best "
            f"{scale * figure.best:.2f}; joint permutation p = {figure.p_value:.3f})"
        )


def measure_rank_agreement(gains: RelevanceMatrix, other: RelevanceMatrix) -> float:
    """Return how well another measure ranks the sources of a target, averaged over targets.

    Spearman's correlation of each column, without the diagonal; NaN where no column has three
    values or more.
    """
    shared = tuple(task for task in gains.tasks if task in other.tasks)
    a, b = (_read(matrix, shared) for matrix in (gains, other))
    cells = find_cells(a) & find_cells(b)
    return _average([_correlate(a, b, cells, t) for t in range(len(shared))])
