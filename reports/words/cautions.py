"""What a reader should not trust, found in the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from markupsafe import Markup

from analysis.scores.baselines import has_learned
from relevance.groups.size_bands import REASONS, ROWS, VOCABULARIES
from relevance.matrices.gain_table import GainTable
from reports.inputs.report_inputs import ReportInputs
from reports.inputs.score_table import ScoreTable
from reports.style.formatting import count_noun, format_number
from reports.style.markup import bold, join, join_tasks, sentence
from reports.tables.collapsed_rows import Collapse, count_runs, list_collapses
from reports.words.group_stability import read_stability
from reports.words.next_steps import STAGES, WISHED_SEEDS, in_folder

SMALL_DEV = 300
"""Dev sets below this size give scores that move by whole points with a few examples."""


def find_cautions(
    inputs: ReportInputs, gains: GainTable | None, scores: ScoreTable | None
) -> Iterator[Markup]:
    """Yield a sentence for each reason to doubt a number, the gravest first."""
    for problem in inputs.problems:
        yield sentence("A file could not be read: {}", problem)
    for text in inputs.stale:
        yield sentence("{}", text)
    for text in inputs.mixtures:
        yield sentence("{}", text)
    for note in inputs.notes:
        yield sentence("About the data: {}.", note)
    yield from _about_runs(inputs)
    yield from _about_baselines(inputs, gains)
    yield from _about_words(inputs)
    if gains is not None:
        yield from _about_gains(inputs, gains)
    yield from _about_groups(inputs)
    if scores is not None:
        yield from _about_scores(scores)


def _about_runs(inputs: ReportInputs) -> Iterator[Markup]:
    runs = inputs.runs
    if runs.failed:
        count = count_noun(len(runs.failed), "run")
        yield sentence('{} failed; <a href="#runs">they are listed below</a>.', count)
    yield from _about_collapsed(list_collapses(inputs))


def _about_collapsed(found: Sequence[Collapse]) -> Iterator[Markup]:
    if not found:
        return
    names = sorted({collapse.task for collapse in found})
    counted = {collapse.in_means for collapse in found} - {None}
    means = {
        (True,): " The scores of such runs are in the means.",
        (False,): " The scores of such runs are left out of the means.",
        (False, True): " The scores of some of them are in the means.",
    }
    yield sentence(
        "{} collapsed: nothing was learned of {}.{} "
        '<a href="#collapsed-runs">All are listed below.</a>',
        count_noun(count_runs(found), "run"),
        join_tasks(names),
        means.get(tuple(sorted(bool(c) for c in counted)), ""),
    )


def _about_baselines(inputs: ReportInputs, gains: GainTable | None) -> Iterator[Markup]:
    """Yield which targets learned nothing alone: there was nothing to gain on."""
    if gains is not None and gains.unlearned:
        yield sentence(
            "Trained alone, {} {} no better than a constant answer. Gains over that say nothing: "
            "they are striped in the tables, and no answer above counts them.",
            join_tasks(gains.unlearned),
            "is" if len(gains.unlearned) == 1 else "are",
        )
        return
    undefined = list_tasks_at_majority(inputs)
    if undefined:
        yield sentence(
            "Trained alone, {} {} not beat the most frequent label. Relative gains of such a "
            "task say little.",
            join_tasks(undefined),
            "does" if len(undefined) == 1 else "do",
        )


def _about_words(inputs: ReportInputs) -> Iterator[Markup]:
    """Yield which targets, alone, score no more than a linear model on their words."""
    if inputs.targets is None:
        return
    singles = zip(inputs.targets["task"], inputs.targets["single"], strict=True)
    below = [str(task) for task, single in singles if single <= inputs.words.get(task, -np.inf)]
    if below:
        yield sentence(
            "Trained alone, {} {} not beat TF-IDF with a linear model: too little was learned "
            "for such gains to mean much.",
            join_tasks(below),
            "does" if len(below) == 1 else "do",
        )


def list_tasks_at_majority(inputs: ReportInputs) -> list[str]:
    """Return the tasks whose mean single-task accuracy does not beat the majority label."""
    found: dict[str, list[tuple[float, float]]] = {}
    for record in inputs.runs.of_kind("single-task"):
        task = record.spec.tasks[0]
        if task.metric in ("accuracy", "token_accuracy") and task.name in record.checks:
            score, majority = record.result.primary[task.name], record.checks[task.name]
            found.setdefault(task.name, []).append((score, majority.majority_frac))
    means = {task: np.mean(pairs, axis=0) for task, pairs in found.items()}
    return [task for task, (single, constant) in means.items() if not has_learned(single, constant)]


def _about_gains(inputs: ReportInputs, gains: GainTable) -> Iterator[Markup]:
    if gains.missing:
        yield sentence(
            "{} of {} gains have no value, because runs failed or are missing.",
            gains.missing,
            gains.missing + len(gains.gains),
        )
    if gains.least_runs is not None and gains.least_runs < WISHED_SEEDS:
        command = in_folder(f"{STAGES['pairwise']} --seeds {WISHED_SEEDS}", inputs.name)
        runs = "one run" if gains.least_runs == 1 else count_noun(gains.least_runs, "run")
        again = sentence("<code>{}</code> repeats them.", command)
        if inputs.imported is not None:
            again = sentence(
                "they come from {}, and more seeds can be added there.", inputs.imported
            )
        yield sentence(
            "Gains rest on as little as {}, with a seed each. Other seeds can change their order "
            "and even their sign; {}",
            runs,
            again,
        )
    elif inputs.lacks_seed_noise:
        yield sentence("The gains' intervals leave out the noise of seeds.")
    elif not gains.is_tested:
        yield sentence("The gains carry no test, so none of them is known to be beyond noise.")
    yield from _about_small_sets(gains)


def _about_small_sets(gains: GainTable) -> Iterator[Markup]:
    sizes = {gain.target: gain.dev for gain in gains.gains if gain.dev < SMALL_DEV}
    if not sizes:
        return
    named = [
        sentence("{} ({} points)", bold(task), format_number(100 / size))
        for task, size in sorted(sizes.items(), key=lambda item: item[1])
    ]
    yield sentence(
        "Small dev sets make gains jump. One example more or less moves the score of {}.",
        join(named[:6]),
    )


def _about_groups(inputs: ReportInputs) -> Iterator[Markup]:
    if inputs.groups is None:
        return
    stability = read_stability(inputs)
    if stability.is_shaky and not stability.is_worth_it:
        yield sentence("The groups are unstable: resampled data would group the tasks differently.")
    bands = inputs.groups.origin.get("follows_sizes")
    if isinstance(bands, Mapping):
        of = str(bands.get("of", VOCABULARIES))
        yield sentence(
            "The groups follow the size of the tasks' {} (p = {}): {}.",
            of,
            format_number(float(bands["p_value"]), 3),
            REASONS.get(of, REASONS[ROWS]),
        )
    yield from _about_origin(inputs)


def _about_origin(inputs: ReportInputs) -> Iterator[Markup]:
    """Yield where the groups do not belong to what has been measured."""
    assert inputs.groups is not None  # noqa: S101 (for mypy; callers look)
    origin = inputs.groups.origin
    matrix = inputs.matrices.get(str(origin.get("measure")))
    if matrix is not None and origin.get("matrix") not in (None, matrix.identity):
        yield sentence(
            "The groups were made from another {} matrix than the one shown here; "
            "<code>{}</code> makes them anew.",
            matrix.measure,
            in_folder(STAGES["groups"], inputs.name),
        )
    measured = inputs.measured
    if measured is not None and set(measured.tasks) != set(inputs.groups.tasks):
        odd = sorted(set(measured.tasks) ^ set(inputs.groups.tasks))
        yield sentence("The groups and the measured tasks differ by {}.", join_tasks(odd))


def _about_scores(scores: ScoreTable) -> Iterator[Markup]:
    seeds = {
        found.seeds
        for system in scores.systems
        for task in scores.tasks
        if (found := scores.score(system, task)) is not None
    }
    if seeds and min(seeds) < 2:
        yield sentence("The systems are compared with one seed; their order may be noise.")
    floor = [
        task
        for task in scores.tasks
        if len({round(s.value, 6) for name in scores.systems if (s := scores.score(name, task))})
        == 1
    ]
    if floor and len(scores.systems) > 1:
        yield sentence("All systems score exactly the same on {}.", join_tasks(floor))
