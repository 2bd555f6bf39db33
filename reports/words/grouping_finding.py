"""The finding on which groups of tasks there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from markupsafe import Markup

from hmnet.study.hierarchy import Groups
from relevance.planted_format import Recovery
from reports.inputs.report_inputs import ReportInputs
from reports.style.formatting import format_number
from reports.style.markup import join_tasks, sentence
from reports.words.finding import Finding, Tone, answer_missing
from reports.words.group_stability import describe_stability, read_stability
from reports.words.next_steps import ADVISED, command_for, in_folder

MANY_TASKS, MOST_MEMBERS, FEW_MEMBERS = 20, 20, 3
"""With more tasks than `MANY_TASKS`, only a few members of each group are named at the top."""
_METHODS = {
    "kmeans": "k-means on the rows of the matrix",
    "expected": "the partition with the greatest gain to be expected under its noise",
    "exact": "the partition with the greatest gain within groups",
    "exact-lower-bound": "the partition with the greatest certain gain within groups",
    "spectral": "spectral clustering of the symmetrised matrix",
    "manual": "the tasks' categories, given by hand",
}


_ANSWERS = {
    "alone": Markup("None: train each task alone."),
    "all": Markup("All of them, in one group."),
}
"""What is answered where the decision is for no groups, or for one."""


def find_groups(inputs: ReportInputs) -> Finding:
    """Say which tasks are grouped, by what, and how stable that is."""
    question = "Which tasks should train together?"
    if inputs.groups is None:
        command = command_for("groups", inputs.name)
        if inputs.pairwise is not None:
            command = in_folder(ADVISED, inputs.name)
        return answer_missing("groups", question, command)
    many = [tasks for tasks in inputs.groups.groups.values() if len(tasks) > 1]
    alone = [tasks[0] for tasks in inputs.groups.groups.values() if len(tasks) == 1]
    most = MOST_MEMBERS if len(inputs.groups.tasks) <= MANY_TASKS else FEW_MEMBERS
    parts = [join_tasks(tasks, most) + Markup(" together") for tasks in many]
    parts += [join_tasks(alone, most) + Markup(" alone")] if alone else []
    stability = read_stability(inputs)
    decision = inputs.groups.origin.get("decision")
    advice = inputs.groups.origin.get("advice")
    evidence = [
        *describe_decision(decision),
        *_describe_hierarchy(inputs.groups),
        *_describe_beside(advice, inputs),
        *describe_stability(inputs, stability),
        _describe_origin(inputs),
    ]
    if inputs.planted is not None:
        evidence += _describe_planted(inputs.planted.found)
    is_steady = stability.is_steady and not inputs.lacks_seed_noise
    is_certain = is_steady or inputs.groups.origin.get("method") == "manual"
    if isinstance(decision, Mapping):  # groups that were chosen for their gain are judged by it
        is_certain = decision["verdict"] == "alone" or decision["low"] > 0
    if isinstance(advice, Mapping):  # groups of a given number, beside the best to be expected
        is_certain = is_certain and advice["given"]["low"] >= 0
    tone: Tone = "good" if is_certain else "doubt"
    answer = Markup("; ").join(parts) + Markup(".")
    if isinstance(decision, Mapping) and decision["verdict"] != "groups":
        answer = _ANSWERS[decision["verdict"]]
    return Finding("groups", question, answer, tuple(evidence), tone)


def describe_decision(decision: object) -> Iterator[Markup]:
    """Yield what groups are expected to gain, beside sharing all and nothing.

    Args:
        decision: from the groups' origin; nothing is said where there is none.
    """
    if not isinstance(decision, Mapping):
        return
    together, alone = decision["others"]["all"], decision["others"]["alone"]
    if decision["verdict"] == "alone":
        yield sentence(
            "No evidence for sharing: in one group of all, a task is expected to gain {}.",
            _format_gain(together),
        )
        return
    beside = f"; in one group of all {_format_gain(together)}"
    yield sentence(
        "A task is expected to gain {}{}. That training alone is better is {} % likely.",
        _format_gain(decision),
        "" if decision["verdict"] == "all" else beside,
        format_number(100 * (1 - alone["odds"]), 0),
    )


def _describe_hierarchy(groups: Groups) -> Iterator[Markup]:
    """Yield how deep the groups were advised to share, if that was asked (`relevance advise`)."""
    hierarchy, parting = groups.hierarchy, groups.origin.get("parting")
    if hierarchy is None or len(groups.groups) in (1, len(groups.tasks)):
        return
    alone = [tasks[0] for tasks in groups.groups.values() if len(tasks) == 1]
    kept = sentence("; {} with layers of their own", join_tasks(alone)) if alone else Markup("")
    measured = Markup("")
    if isinstance(parting, Mapping):
        measured = Markup(" (measured")
        if parting["low"] < parting["high"]:
            measured += sentence(", {} to {}", parting["low"], parting["high"])
        measured += Markup(")")
    yield sentence(
        "Advised: the lower {} of {} layers shared by all groups{}, the others by each group{}.",
        hierarchy.shared,
        hierarchy.depth,
        measured,
        kept,
    )


def _describe_beside(advice: object, inputs: ReportInputs) -> Iterator[Markup]:
    """Yield what groups of a given number are expected to gain, beside the best ones."""
    if not isinstance(advice, Mapping):
        return
    given, best = advice["given"], advice["best"]
    text = sentence("In these groups a task is expected to gain {}", _format_gain(given))
    if best["gain"] > given["gain"]:
        name = "one group of all" if best["verdict"] == "all" else f"the best {best['k']} groups"
        if best["verdict"] == "alone":
            text += Markup("; training each alone loses nothing")
        else:
            text += sentence("; with {} it would be {}", name, _format_gain(best))
        text += sentence(" (<code>{}</code>)", in_folder(ADVISED, inputs.name))
    yield text + Markup(".")


def _format_gain(row: Mapping[str, float]) -> str:
    gain, low, high = (
        format_number(100 * row[name], signed=True) for name in ("gain", "low", "high")
    )
    return f"{gain} % ({low} to {high})"


def _describe_origin(inputs: ReportInputs) -> Markup:
    assert inputs.groups is not None  # noqa: S101 (for mypy; callers look)
    origin = inputs.groups.origin
    method = str(origin.get("method", "not recorded"))
    measure = origin.get("measure")
    text = f"Found by {_METHODS.get(method, method)}"
    return sentence("{}{}.", text, f" ({measure} relevance)" if measure else "")


def _describe_planted(found: Recovery) -> Iterator[Markup]:
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
