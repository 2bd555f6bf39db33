"""How far the groups can be trusted, from what the clustering recorded about itself.

Two things are told apart: whether k-means finds the same groups from other random starts (a
matter of the search), and whether other seeds and other dev examples would give the same groups
(a matter of the data, which needs resampling).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from markupsafe import Markup

from analysis.partitions.stability import ALL_AGREEMENT, NO_AGREEMENT
from hmnet.study.hierarchy import Groups
from reports.inputs.report_inputs import ReportInputs
from reports.style.formatting import format_number, format_percent
from reports.style.markup import sentence

STEADY = 0.8
SHAKY = 0.5


@dataclass(frozen=True)
class Stability:
    """What is known about how stable the groups are.

    Attributes:
        starts_frac: share of k-means' random starts that end in these groups; None if unknown.
        inside: how often resampling puts two tasks of one group together; None if not measured.
        outside: the same for two tasks of different groups.
        index: mean adjusted Rand index of resampled groups with these; None if not measured.
        low, high: its 95 % interval.
        chance: what groups of noise reach in it.
        is_worth_it: whether they were chosen for a gain that is not in doubt, whichever they are.
    """

    starts_frac: float | None = None
    inside: float | None = None
    outside: float | None = None
    index: float | None = None
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    is_worth_it: bool = field(default=False, kw_only=True)

    @property
    def is_chance(self) -> bool:
        """Whether groups of pure noise would be as stable."""
        return self.index is not None and self.chance is not None and self.index <= self.chance

    @property
    def is_open(self) -> bool:
        """Whether the index' interval excludes nothing, from no agreement to all of it."""
        if self.low is None or self.high is None:
            return False
        return self.low <= NO_AGREEMENT and self.high >= ALL_AGREEMENT

    @property
    def contrast(self) -> float | None:
        """How much oftener tasks fall together within groups than across: 1 is perfect."""
        if self.inside is None or self.outside is None:
            return None
        return self.inside - self.outside

    @property
    def is_steady(self) -> bool:
        """Whether resampling gives these groups nearly always."""
        return self.contrast is not None and self.contrast >= STEADY and not self.is_chance

    @property
    def is_shaky(self) -> bool:
        """Whether resampling gives other groups as often."""
        return self.is_chance or (self.contrast is not None and self.contrast < SHAKY)


def read_stability(inputs: ReportInputs) -> Stability:
    """Return the stability that the groups' origin and the resampled groupings show."""
    if inputs.groups is None:
        return Stability()
    found = inputs.groups.origin.get("stability")
    share = found.get("share") if isinstance(found, Mapping) else None
    starts = float(share) if isinstance(share, int | float) else None
    if inputs.together is None or not set(inputs.groups.tasks) <= set(inputs.together.index):
        return Stability(starts)
    inside, outside = _compare_sides(inputs.together, inputs.groups)
    found = Stability(starts, inside, outside, *_read_resampling(inputs.groups))
    decision = inputs.groups.origin.get("decision")
    low = decision.get("low") if isinstance(decision, Mapping) else None
    return replace(found, is_worth_it=isinstance(low, int | float) and low > 0)


def _read_resampling(groups: Groups) -> list[float | None]:
    """Return index, its interval, and what chance reaches, as the clustering recorded them."""
    found = groups.origin.get("resampling")
    record = found if isinstance(found, Mapping) else {}
    values = [record.get(name) for name in ("mean_ari", "ari_low", "ari_high", "chance_ari")]
    return [float(v) if isinstance(v, int | float) else None for v in values]


def _compare_sides(together: pd.DataFrame, groups: Groups) -> tuple[float | None, float | None]:
    """Return the mean share of pairs within groups, and across them."""
    tasks = list(groups.tasks)
    values = together.loc[tasks, tasks].to_numpy(np.float64)
    names = np.array([groups.group_of(task) for task in tasks], dtype=object)
    same = names[:, None] == names[None, :]
    away = ~np.eye(len(tasks), dtype=bool)
    return _mean(values[same & away]), _mean(values[~same])


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def describe_stability(inputs: ReportInputs, stability: Stability) -> Iterator[Markup]:
    """Yield what is known about the groups' stability, in words."""
    if inputs.groups is None or inputs.groups.origin.get("method") == "manual":
        return
    if stability.inside is not None and stability.outside is not None:
        what = "dev examples are" if inputs.lacks_seed_noise else "data and seeds are"
        yield _describe_resampling(stability, stability.inside, stability.outside, what)
        yield from _describe_index(stability)
        if inputs.lacks_seed_noise:
            yield sentence(
                "With one seed, resampling leaves out the noise of seeds: the groups look more "
                "stable than they are."
            )
    else:
        yield sentence(
            "<strong>Not known how stable they are:</strong> whether other seeds would give the "
            "same groups has not been measured."
        )
    if stability.starts_frac is not None:
        yield sentence(
            "{} of k-means' {} random starts end in these groups.",
            format_percent(stability.starts_frac, 0),
            format_number(_read_number(inputs.groups.origin.get("n_init")), 0),
        )
    yield from _describe_worth(inputs.groups)


def _describe_resampling(
    stability: Stability, inside: float, outside: float, resampled: str
) -> Markup:
    if stability.is_chance:
        verdict = "<strong>No more stable than groups of pure noise:</strong>"
        if stability.is_worth_it:
            verdict = "<strong>Other groups would do about as well:</strong>"
    elif stability.is_steady:
        verdict = "<strong>Stable:</strong>"
    elif stability.is_shaky:
        verdict = "<strong>Unstable, do not rely on them:</strong>"
        if stability.is_worth_it:
            verdict = "<strong>Other groups would do about as well:</strong>"
    else:
        verdict = "<strong>Stable in part:</strong>"
    return sentence(
        verdict + " when {} drawn anew, two tasks of one group stay together in {} of the "
        "repetitions, two of different groups in {}.",
        resampled,
        format_percent(inside, 0),
        format_percent(outside, 0),
    )


def _describe_index(stability: Stability) -> Iterator[Markup]:
    numbers = (stability.index, stability.low, stability.high)
    if any(number is None for number in numbers):
        return
    index, low, high = (format_number(number or 0.0, 2) for number in numbers)
    if stability.is_open:
        yield sentence(
            "How far a repetition of the study would agree with these groups cannot be said: "
            "adjusted Rand index {} to {}.",
            low,
            high,
        )
        return
    text = sentence(
        "A repetition of the study would agree with an adjusted Rand index of {} ({} to {})",
        index,
        low,
        high,
    )
    if stability.chance is not None:
        text += sentence("; groups of pure noise reach {}", format_number(stability.chance, 2))
    yield text + Markup(".")


def _describe_worth(groups: Groups) -> Iterator[Markup]:
    """Yield what the tasks gain within the groups, in one group, and in the best groups."""
    origin, count = groups.origin, len(groups.tasks)
    gain, loss = origin.get("within_group_gain"), origin.get("kmeans_loss")
    if not isinstance(gain, int | float):
        return
    text = sentence(
        "Within its group a task gains {} on average from each partner",
        format_percent(gain / count, signed=True),
    )
    for k, mean_gain in _list_compared(origin):
        if k == 1 and len(groups.groups) > 1:
            together = format_percent(mean_gain, signed=True)
            text += sentence(", in one group of all tasks {}", together)
    if isinstance(loss, int | float) and loss > 0:
        best = format_percent((gain + loss) / count, signed=True)
        text += sentence("; the best {} groups would give {}", len(groups.groups), best)
    yield text + Markup(".")


def _list_compared(origin: Mapping[str, object]) -> list[tuple[object, float]]:
    """Return number of groups and mean gain of what the clustering compared its own with."""
    found = origin.get("compared")
    rows = found if isinstance(found, list | tuple) else []
    return [
        (row.get("k"), _read_number(row["mean_gain"]))
        for row in rows
        if isinstance(row, Mapping) and "mean_gain" in row
    ]


def _read_number(value: object) -> float:
    """Return a number that a file holds; 0 where it holds none."""
    return float(value) if isinstance(value, int | float) else 0.0
