"""The finding on which tasks lose by being trained with others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from markupsafe import Markup

from relevance.matrices.gain_table import Gain, GainTable, PairGains
from reports.inputs.report_inputs import ReportInputs
from reports.style.formatting import (
    count_noun,
    format_interval,
    format_number,
    format_percent,
    format_probability,
)
from reports.style.markup import bold, join_tasks, sentence
from reports.words.finding import Finding, Tone, answer_missing, describe_gain
from reports.words.next_steps import command_for


def find_losses(inputs: ReportInputs, gains: GainTable | None) -> Finding:
    """Name the pair that hurts itself most, and say whether that may be noise."""
    question = "Which two tasks hurt each other most, and is that noise?"
    if gains is None:
        return answer_missing("losses", question, command_for("pairwise", inputs.name))
    pairs = gains.pairs
    if not pairs:
        answer = Markup("No pair of tasks has been measured in both directions.")
        return Finding("losses", question, answer, tone="missing")
    sound = gains.sound_pairs
    if not sound:
        return _refuse_pairs(question, gains)
    worst = sound[0]
    if worst.mean >= 0:
        answer = sentence(
            "No pair loses on balance. The least useful one is {}.", _describe_pair(worst)
        )
    else:
        answer = sentence("{}.", _describe_pair(worst))
    evidence = [_judge_pair(worst, gains, inputs)]
    if len(sound) < len(pairs):
        evidence.append(_count_left_out(len(pairs) - len(sound), gains))
    if gains.is_tested and worst.verdict == "within noise":
        evidence.append(_name_sure_loss(gains))
    is_sure = "beyond" in worst.verdict and not inputs.lacks_seed_noise
    tone: Tone = "bad" if is_sure else "doubt"
    return Finding("losses", question, answer, tuple(evidence), tone)


def _refuse_pairs(question: str, gains: GainTable) -> Finding:
    answer = sentence(
        "No pair can be judged: trained alone, {} learned nothing that could be lost.",
        join_tasks(gains.unlearned),
    )
    return Finding("losses", question, answer, tone="doubt")


def _count_left_out(count: int, gains: GainTable) -> Markup:
    return sentence(
        "{} left out: trained alone, {} {} no better than a constant answer.",
        count_noun(count, "pair is", "pairs are"),
        join_tasks(gains.unlearned),
        "is" if len(gains.unlearned) == 1 else "are",
    )


def _describe_pair(pair: PairGains) -> Markup:
    one, other = pair.one, pair.other
    return sentence(
        "{} and {}: trained together, {} {} and {} {}",
        bold(one.target),
        bold(other.target),
        bold(one.target),
        _moves(one),
        bold(other.target),
        _moves(other),
    )


def _moves(gain: Gain) -> str:
    amount = format_percent(abs(gain.value))
    if not any(digit in amount for digit in "123456789"):
        return "stays the same"
    return f"{'gains' if gain.value > 0 else 'loses'} {amount}"


def _judge_pair(pair: PairGains, gains: GainTable, inputs: ReportInputs) -> Markup:
    if not gains.is_tested or pair.verdict == "not tested":
        return _doubt(pair.one, gains, inputs)
    tests = (_test(pair.one), _test(pair.other))
    if inputs.lacks_seed_noise and pair.verdict != "within noise":
        return _judge_one_seed(pair)
    if pair.verdict == "both beyond noise":
        return sentence(
            "<strong>Not noise:</strong> both changes are significant ({}; {}).", *tests
        )
    if pair.verdict == "within noise":
        return sentence(
            "<strong>This may be noise:</strong> neither change can be told from zero ({}; {}).",
            *tests,
        )
    sure, unsure = sorted((pair.one, pair.other), key=lambda gain: gain.verdict)
    return sentence(
        "<strong>In one direction it is not noise:</strong> what happens to {} is significant "
        "({}); what happens to {} is not ({}).",
        bold(sure.target),
        _test(sure),
        bold(unsure.target),
        _test(unsure),
    )


def _judge_one_seed(pair: PairGains) -> Markup:
    """Say which changes are more than the choice of dev examples explains."""
    sure = [gain for gain in (pair.one, pair.other) if gain.verdict == "beyond noise"]
    what = "both changes are" if len(sure) == 2 else f"the change of {sure[0].target} is"
    return sentence(
        "<strong>Not known whether this is noise of seeds:</strong> in these very runs {} more "
        "than the choice of dev examples explains ({}; {}), but one seed says nothing about "
        "others.",
        what,
        _test(pair.one),
        _test(pair.other),
    )


def _test(gain: Gain) -> str:
    """Return the interval and the adjusted p-value of a gain."""
    interval = format_interval(gain.low, gain.high)
    return f"{gain.target}: " + ", ".join(
        part for part in (interval, f"q {format_probability(gain.q)}") if part
    )


def _doubt(gain: Gain, gains: GainTable, inputs: ReportInputs) -> Markup:
    """Say why nobody can tell whether a gain is noise, and how small it is in examples."""
    runs = gains.least_runs
    why = "each value comes from a single run" if runs == 1 else "the gains have not been tested"
    size = Markup(" ").join(_describe_size(gain, inputs))
    return sentence("<strong>Not known whether this is noise:</strong> {}. {}", why, size)


def _describe_size(gain: Gain, inputs: ReportInputs) -> Iterator[Markup]:
    """Put a gain beside what the size of the dev set alone makes uncertain."""
    if math.isnan(gain.dev):
        return
    known = find_single_accuracy(inputs).get(gain.target)
    if known is None:
        yield sentence("{} has {}.", bold(gain.target), count_noun(gain.dev, "dev example"))
        return
    examples = count_noun(abs(gain.value) * known * gain.dev, "example")
    margin = 1.96 * math.sqrt(known * (1 - known) / gain.dev)
    yield sentence(
        "The change of {} is about {} of its {:,.0f} dev examples;",
        bold(gain.target),
        examples,
        gain.dev,
    )
    yield sentence(
        "the size of that dev set alone leaves its score uncertain by ±{} points.",
        format_number(100 * margin),
    )


def find_single_accuracy(inputs: ReportInputs) -> Mapping[str, float]:
    """Return task to its mean single-task accuracy, for tasks whose primary metric it is."""
    found: dict[str, list[float]] = {}
    for record in inputs.runs.of_kind("single-task"):
        task = record.spec.tasks[0]
        if task.metric == "accuracy":
            found.setdefault(task.name, []).append(record.result.primary[task.name])
    return {name: sum(values) / len(values) for name, values in found.items()}


def _name_sure_loss(gains: GainTable) -> Markup:
    sure = gains.strongest(-1, "beyond noise")
    if not sure:
        return sentence("No loss in this study is beyond noise.")
    return sentence("The largest loss beyond noise: {}.", describe_gain(sure[0]))
