"""The finding on which tasks help each other."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from relevance.matrices.gain_table import GainTable
from reports.inputs.report_inputs import ReportInputs
from reports.style.formatting import format_percent
from reports.style.markup import bold, join, sentence
from reports.words.finding import MOST_NAMED, Finding, answer_missing, describe_gain
from reports.words.next_steps import command_for


def find_help(inputs: ReportInputs, gains: GainTable | None) -> Finding:
    """Name the strongest gains, and how many are beyond noise."""
    question = "Which tasks help others most?"
    if gains is None:
        return answer_missing("help", question, command_for("pairwise", inputs.name))
    best = gains.strongest(1, "beyond noise" if gains.is_tested else None)[:MOST_NAMED]
    if not best:
        sure = " that is beyond noise" if gains.is_tested else ""
        answer = sentence("No task helps another by an amount{}.", sure)
        return Finding("help", question, answer, tuple(_count_sure(gains, inputs)), "doubt")
    answer = sentence("{}.", join([describe_gain(gain) for gain in best]))
    evidence = (*_count_sure(gains, inputs), *_name_partners(gains))
    is_sure = gains.is_tested and not inputs.lacks_seed_noise
    return Finding("help", question, answer, evidence, "good" if is_sure else "doubt")


def _count_sure(gains: GainTable, inputs: ReportInputs) -> Iterator[Markup]:
    if not gains.is_tested:
        yield Markup("<strong>Not tested against noise:</strong> the order may change with seeds.")
        return
    sure = [gain for gain in gains.gains if gain.verdict == "beyond noise"]
    helpful = sum(gain.value > 0 for gain in sure)
    yield sentence(
        "{:,} of {:,} gains are beyond {} (false discovery rate 5 %): {} helpful, {} harmful.{}",
        len(sure),
        len(gains.sound),
        "the noise of dev examples" if inputs.lacks_seed_noise else "noise",
        helpful,
        len(sure) - helpful,
        " That of seeds is not known." if inputs.lacks_seed_noise else "",
    )


def _name_partners(gains: GainTable) -> Iterator[Markup]:
    """Name the sources that help and hurt most on average over their targets."""
    sums: dict[str, list[float]] = {}
    for gain in gains.sound:
        sums.setdefault(gain.source, []).append(gain.value)
    means = {source: sum(values) / len(values) for source, values in sums.items()}
    if len(means) < 3:
        return
    best, worst = max(means, key=lambda s: means[s]), min(means, key=lambda s: means[s])
    yield sentence(
        "As a partner, {} is the best on average ({}) and {} the worst ({}).",
        bold(best),
        format_percent(means[best], signed=True),
        bold(worst),
        format_percent(means[worst], signed=True),
    )
