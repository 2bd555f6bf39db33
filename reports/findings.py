"""The answer in words, generated from the numbers: what a reader should know in a minute."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from reports.cautions import find_cautions
from reports.collect import Found, ReportInputs
from reports.commands import NextStep, command_for, plan_next
from reports.comparison import (
    MULTI,
    SINGLE,
    Difference,
    ScoreTable,
    label_system,
    tabulate_comparison,
)
from reports.formatting import (
    format_count,
    format_interval,
    format_number,
    format_percent,
    format_probability,
)
from reports.gains import Gain, GainTable, PairGains, tabulate_gains
from reports.markup import bold, join, join_tasks, sentence
from reports.stability import describe_stability, measure_stability

Tone = Literal["good", "bad", "doubt", "plain", "missing"]
MOST_NAMED = 3
MANY_TASKS, MOST_MEMBERS, FEW_MEMBERS = 20, 20, 3
"""With more tasks than `MANY_TASKS`, only a few members of each group are named at the top."""


@dataclass(frozen=True)
class Finding:
    """A question, its answer, and what the answer stands on.

    Attributes:
        key: a short name, for links and styles.
        tone: `missing` where the stage that answers it has not been run.
        command: the command that would answer it, where it is missing.
    """

    key: str
    question: str
    answer: Markup
    evidence: tuple[Markup, ...] = ()
    tone: Tone = "plain"
    command: str = ""


@dataclass(frozen=True)
class Summary:
    """The top of a report."""

    headline: str
    findings: tuple[Finding, ...]
    cautions: tuple[Markup, ...]
    steps: tuple[NextStep, ...]


def summarise(inputs: ReportInputs) -> Summary:
    """Put an output folder's numbers into words."""
    gains = tabulate_gains(inputs.pairwise) if inputs.pairwise is not None else None
    scores = tabulate_comparison(inputs.comparison) if inputs.comparison is not None else None
    found = [
        _find_groups(inputs),
        _find_losses(inputs, gains),
        _find_help(inputs, gains),
        _find_payoff(inputs, scores),
    ]
    return Summary(
        _headline(inputs, gains, scores),
        tuple(found),
        tuple(find_cautions(inputs, gains, scores)),
        tuple(plan_next(inputs)),
    )


def _headline(inputs: ReportInputs, gains: GainTable | None, scores: ScoreTable | None) -> str:
    parts = []
    tasks = format_count(len(inputs.tasks), "task")
    if inputs.groups is not None:
        count = len(inputs.groups.groups)
        parts.append(f"{tasks}, {format_count(count, 'group')}")
    if scores is not None and (difference := _best_difference(scores, MULTI)) is not None:
        parts.append(f"HMNet is {_ahead(difference)} multi-task training")
    if not parts and gains is not None:
        parts.append(f"{tasks}, {format_count(len(gains.gains), 'measured gain')}")
    if not parts and inputs.vocabulary is not None:
        parts.append(f"{tasks}, compared by their vocabulary")
    if not parts and inputs.runs.done:
        parts.append(f"{format_count(len(inputs.runs.done), 'run')} finished, no gains yet")
    return "; ".join(parts) or "Nothing has been measured yet"


def _ahead(difference: Difference) -> str:
    points = format_number(abs(100 * difference.value))
    if points == format_number(0):
        return "level with"
    return f"{points} points {'ahead of' if difference.value > 0 else 'behind'}"


def _find_groups(inputs: ReportInputs) -> Finding:
    question = "Which tasks should train together?"
    if inputs.groups is None:
        return _missing("groups", question, command_for("groups", inputs.name))
    many = [tasks for tasks in inputs.groups.groups.values() if len(tasks) > 1]
    alone = [tasks[0] for tasks in inputs.groups.groups.values() if len(tasks) == 1]
    most = MOST_MEMBERS if len(inputs.groups.tasks) <= MANY_TASKS else FEW_MEMBERS
    parts = [join_tasks(tasks, most) + Markup(" together") for tasks in many]
    parts += [join_tasks(alone, most) + Markup(" alone")] if alone else []
    stability = measure_stability(inputs)
    evidence = [*describe_stability(inputs, stability), _describe_origin(inputs)]
    if inputs.planted is not None:
        evidence += _describe_planted(inputs.planted.found)
    is_steady = stability.is_steady and not inputs.lacks_seed_noise
    is_certain = is_steady or inputs.groups.origin.get("method") == "manual"
    tone: Tone = "good" if is_certain else "doubt"
    answer = Markup("; ").join(parts) + Markup(".")
    return Finding("groups", question, answer, tuple(evidence), tone)


def _missing(key: str, question: str, command: str) -> Finding:
    answer = sentence("Not known yet. <code>{}</code> finds out.", command)
    return Finding(key, question, answer, tone="missing", command=command)


_METHODS = {
    "kmeans": "k-means on the rows of the matrix",
    "exact": "the partition with the greatest gain within groups",
    "exact-lower-bound": "the partition with the greatest certain gain within groups",
    "spectral": "spectral clustering of the symmetrised matrix",
    "manual": "the tasks' categories, given by hand",
}


def _describe_origin(inputs: ReportInputs) -> Markup:
    assert inputs.groups is not None  # noqa: S101 (for mypy; callers look)
    origin = inputs.groups.origin
    method = str(origin.get("method", "not recorded"))
    measure = origin.get("measure")
    text = f"Found by {_METHODS.get(method, method)}"
    return sentence("{}{}.", text, f" ({measure} relevance)" if measure else "")


def _describe_planted(found: Found) -> Iterator[Markup]:
    index = found.adjusted_rand_index
    if index >= 1 - 1e-9:
        yield sentence("They are exactly the groups that were planted.")
    else:
        yield sentence(
            "Agreement with the planted groups: adjusted Rand index {} of 1.",
            format_number(index, 2),
        )
    if "kmeans" in found.by_method:
        yield sentence(
            "By k-means on the rows, the paper's method, the adjusted Rand index is {}.",
            format_number(found.by_method["kmeans"], 2),
        )


def _find_losses(inputs: ReportInputs, gains: GainTable | None) -> Finding:
    question = "Which two tasks hurt each other most, and is that noise?"
    if gains is None:
        return _missing("losses", question, command_for("pairwise", inputs.name))
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
        format_count(count, "pair is", "pairs are"),
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
    known = single_accuracy(inputs).get(gain.target)
    if known is None:
        yield sentence("{} has {}.", bold(gain.target), format_count(gain.dev, "dev example"))
        return
    examples = format_count(abs(gain.value) * known * gain.dev, "example")
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


def single_accuracy(inputs: ReportInputs) -> Mapping[str, float]:
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
    return sentence("The largest loss beyond noise: {}.", _describe_gain(sure[0]))


def _describe_gain(gain: Gain) -> Markup:
    verb = "helps" if gain.value > 0 else "hurts"
    return sentence(
        "{} {} {} by {}",
        bold(gain.source),
        verb,
        bold(gain.target),
        format_percent(abs(gain.value)),
    )


def _find_help(inputs: ReportInputs, gains: GainTable | None) -> Finding:
    question = "Which tasks help others most?"
    if gains is None:
        return _missing("help", question, command_for("pairwise", inputs.name))
    best = gains.strongest(1, "beyond noise" if gains.is_tested else None)[:MOST_NAMED]
    if not best:
        sure = " that is beyond noise" if gains.is_tested else ""
        answer = sentence("No task helps another by an amount{}.", sure)
        return Finding("help", question, answer, tuple(_count_sure(gains, inputs)), "doubt")
    answer = sentence("{}.", join([_describe_gain(gain) for gain in best]))
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


def _best_difference(scores: ScoreTable, other: str) -> Difference | None:
    names = scores.hierarchical()
    return scores.difference(names[0], other) if names else None


def _find_payoff(inputs: ReportInputs, scores: ScoreTable | None) -> Finding:
    question = "Did HMNet beat single-task and multi-task training?"
    names = scores.hierarchical() if scores is not None else []
    if scores is None or not names:
        return _missing("payoff", question, command_for("comparison", inputs.name))
    pairs = [(other, scores.difference(names[0], other)) for other in (MULTI, SINGLE)]
    known = [(other, found) for other, found in pairs if found is not None]
    if not known:
        answer = Markup("The comparison holds neither single-task nor multi-task training.")
        return Finding("payoff", question, answer, tone="missing")
    verb = "Yes" if all(found.value > 0 for _, found in known) else "Not in both cases"
    if all(found.value <= 0 for _, found in known):
        verb = "No"
    parts = [
        sentence("{} {} training", _ahead(found), label_system(other).lower())
        for other, found in known
    ]
    answer = sentence(
        "{}. On average over tasks, {} is {}.", verb, label_system(names[0]), join(parts)
    )
    evidence = (
        *(_judge_difference(other, found) for other, found in known),
        *_describe_choice(names),
        *_name_losers(scores, names[0]),
    )
    sure = all(found.is_clear for _, found in known)
    tone: Tone = "doubt" if not sure else "good" if verb == "Yes" else "bad"
    return Finding("payoff", question, answer, evidence, tone)


def _judge_difference(other: str, found: Difference) -> Markup:
    lead = f"Against {label_system(other).lower()} training:"
    if math.isnan(found.low):
        return _judge_without_interval(lead, found)
    low, high = (format_number(100 * x, signed=True) for x in (found.low, found.high))
    interval = f"95 % interval {low} to {high} points"
    if found.seeds < 2:
        return sentence(
            "{} {} over dev examples; one seed, so more noise than that.", lead, interval
        )
    return sentence(
        "{} ahead in {} of {} seeds, {} over {}: {} noise.",
        lead,
        found.wins,
        found.seeds,
        interval,
        "seeds and dev examples" if found.holds_examples else "seeds",
        "beyond" if found.is_clear else "within",
    )


def _judge_without_interval(lead: str, found: Difference) -> Markup:
    if found.seeds < 2:
        return sentence("{} one seed, so noise is not known.", lead)
    return sentence(
        "{} ahead in {} of {} seeds; three or more are needed for an interval.",
        lead,
        found.wins,
        found.seeds,
    )


def _describe_choice(names: Sequence[str]) -> Iterator[Markup]:
    if len(names) > 1:
        yield sentence(
            "It is the best of {} groupings on these dev sets, which flatters it a little.",
            len(names),
        )


def _name_losers(scores: ScoreTable, system: str) -> Iterator[Markup]:
    """Name the tasks on which a system falls behind single-task training (negative transfer)."""
    found = {task: scores.difference(system, SINGLE, task) for task in scores.tasks}
    known = {task: difference for task, difference in found.items() if difference is not None}
    sure = {t: d.value for t, d in known.items() if d.verdict == "below"}
    unsure = {t: d.value for t, d in known.items() if d.verdict == "perhaps below"}
    if sure:
        yield sentence(
            "Negative transfer on {} of {} tasks, where the whole 95 % interval is below "
            "single-task training; most on {} points.",
            len(sure),
            len(scores.tasks),
            _name_worst(sure),
        )
    if unsure:
        yield sentence(
            "Behind single-task training by what may be noise on {} of {} tasks; most on {} "
            "points.",
            len(unsure),
            len(scores.tasks),
            _name_worst(unsure),
        )


def _name_worst(losses: Mapping[str, float]) -> Markup:
    worst = sorted(losses, key=lambda task: losses[task])[:MOST_NAMED]
    amounts = [format_number(100 * losses[task], signed=True) for task in worst]
    return join(
        [sentence("{} ({})", bold(t), amount) for t, amount in zip(worst, amounts, strict=True)]
    )
