"""Figures on a page: a picture, its text alternative, its caption and its data."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from analysis.gains.paired import AVERAGE
from reports.figures import (
    TWO_COLUMNS_IN,
    draw_attention,
    draw_attention_layers,
    draw_curves,
    draw_dendrogram,
    draw_layer_combinations,
    draw_scores,
    draw_shared_layers,
    draw_together,
    draw_worth,
)
from reports.figures.svg import embed_svg
from reports.inputs.report_inputs import ReportInputs
from reports.inputs.score_table import ScoreTable, label_system
from reports.page.downloads import link_csv
from reports.style.formatting import (
    PERCENT,
    count_noun,
    format_number,
    format_percent,
    format_score,
    join_words,
)
from reports.style.markup import join_tasks, sentence
from reports.tables.attention_pairs import list_attention_pairs


@dataclass(frozen=True)
class Plot:
    """A picture for the page.

    Attributes:
        name: unique on the page; also the name of its data file.
        svg: the picture, with its text alternative.
        caption: what to see in it.
        data: a `data:` address of the table behind it.
    """

    name: str
    svg: Markup
    caption: Markup
    data: str


def _plot(
    name: str, figure: Figure, description: str, caption: Markup, frame: pd.DataFrame
) -> Plot:
    return Plot(name, embed_svg(figure, name, description), caption, link_csv(frame))


def plot_groups(inputs: ReportInputs) -> Plot | None:
    """Return how often resampling groups tasks together, else how alike their rows are."""
    if inputs.together is not None:
        return _plot_together(inputs, inputs.together)
    measured = inputs.measured
    if measured is None or len(measured.tasks) < 3:
        return None
    frame = measured.to_frame().reset_index(names="source")
    groups = inputs.groups.groups if inputs.groups is not None else {}
    listed = "; ".join(f"group {name}: {', '.join(tasks)}" for name, tasks in groups.items())
    description = (
        f"Tree of the tasks by how alike their rows of the {measured.measure} matrix are. {listed}"
    )
    caption = sentence(
        "How alike the tasks are, by their rows of the {} matrix (average linkage of Euclidean "
        "distances): branches that join further left are more alike.{}",
        measured.measure,
        " Dots show the groups." if inputs.groups is not None else "",
    )
    figure = draw_dendrogram(measured, inputs.groups)
    return _plot("dendrogram", figure, description, caption, frame)


def _plot_together(inputs: ReportInputs, together: pd.DataFrame) -> Plot:
    description = (
        "Square table of tasks by tasks: how often resampling puts two tasks into one group, from "
        "0, never, to 1, always. The tasks of a group lie side by side."
    )
    caption = sentence(
        "How often two tasks fall into one group when {} resampled (1 is always). Strong colours "
        "along the diagonal, inside the lines, are stable groups.",
        "dev examples are" if inputs.lacks_seed_noise else "seeds and dev examples are",
    )
    figure = draw_together(together, inputs.groups, 4.6 if len(together) <= 20 else TWO_COLUMNS_IN)
    frame = together.reset_index(names="task")
    return _plot("together", figure, description, caption, frame)


def plot_scores(scores: ScoreTable, frame: pd.DataFrame) -> Plot:
    """Return the scores of all systems on all tasks."""
    averages = [
        f"{label_system(system)} {format_percent(score.value)}"
        for system in scores.systems
        if (score := scores.score(system, AVERAGE)) is not None
    ]
    description = (
        f"Scores of {len(scores.systems)} systems on {len(scores.tasks)} tasks. Averages: "
        f"{', '.join(averages)}. The table above holds every number."
    )
    caption = sentence(
        "How far each system is above single-task training, in points. Thin lines are 95 % "
        "intervals of the difference, grey bands those of the single-task score itself, where they "
        "are known; some reach beyond the frame."
    )
    return _plot("scores", draw_scores(scores), description, caption, frame)


def plot_curves(inputs: ReportInputs) -> Plot | None:
    """Return the loss curves."""
    if not inputs.curves:
        return None
    curves = {task: inputs.curves[task] for task in inputs.tasks if task in inputs.curves}
    rows = [
        (task, curve.label, curve.run_id, progress, loss)
        for task, curves in curves.items()
        for curve in curves
        for progress, loss in zip(curve.progress, curve.loss, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["task", "run_kind", "run", "progress", "loss"])
    labels = join_words(list(dict.fromkeys(frame["run_kind"])))
    description = (
        f"Training loss of {len(inputs.curves)} tasks, a panel each, from the start to the end of "
        f"a run; lines for {labels} training."
    )
    caption = sentence(
        "Training loss, averaged over stretches of each run; one seed of each kind of run. A line "
        "that stays flat and high is a run that did not learn."
    )
    return _plot("curves", draw_curves(curves), description, caption, frame)


def plot_attention(inputs: ReportInputs) -> Plot | None:
    """Return the similarity of attention maps."""
    if inputs.attention is None:
        return None
    pairs = list_attention_pairs(inputs.attention, inputs.gains)
    named = [
        f"{task} trained with {pair.partner(task)}"
        + (f" (gain {format_percent(pair.gains[task], signed=True)})" if task in pair.gains else "")
        for pair in pairs
        for task in pair.tasks
    ]
    low = format_number(float(inputs.attention["similarity"].min()), 2)
    description = f"Maps of layers by heads for {join_words(named)}. The least similarity is {low}."
    caption = sentence(
        "How alike the attention maps of a task's own model and of the model trained with a "
        "partner are, per layer and head (mean cosine over dev examples), all panels on one "
        "scale: the darker, the more different (on a dark page, the brighter).{}",
        " In a positive pair both tasks gain, in a negative one both lose."
        if any(pair.kind for pair in pairs)
        else "",
    )
    figure = draw_attention(inputs.attention, inputs.gains)
    return _plot("attention", figure, description, caption, inputs.attention)


def plot_attention_layers(inputs: ReportInputs) -> Plot | None:
    """Return how the similarity of attention maps goes with the pairs' gains, layer by layer."""
    if inputs.layers is None:
        return None
    means = zip(inputs.layers["layer"], inputs.layers["similarity"], strict=True)
    told = [f"layer {layer:.0f}: {format_number(float(value), 3)}" for layer, value in means]
    pairs = format_number(float(inputs.layers["pairs"].max()), 0)
    caption = sentence(
        "Left: how alike the attention maps of a task's own model and of its pair's model are, "
        "averaged over {} ordered pairs and over those in which the task gains or loses. Right: "
        "rank correlation of that similarity with the gain; around 0, attention does not tell who "
        "gains.",
        pairs,
    )
    figure = draw_attention_layers(inputs.layers)
    return _plot("attention-layers", figure, "; ".join(told), caption, inputs.layers)


def plot_worth(inputs: ReportInputs) -> Plot | None:
    """Return what each cheap measure tells of the gains, and what it costs."""
    if inputs.agreement is None:
        return None
    rows = zip(inputs.agreement["name"], inputs.agreement["spearman"], strict=True)
    told = [f"{name}: {format_number(float(value), 2)}" for name, value in rows]
    caption = sentence(
        "What each measure tells of the gains, the cheapest first. Left: rank correlation with "
        "the gains over a task's partners (1 is the same order, 0 is none). Right: what is lost by "
        "taking the first partner that it names. Lines are 95 % intervals."
    )
    description = f"Rank correlation of measures with the gains. {'; '.join(told)}"
    figure = draw_worth(inputs.agreement)
    return _plot("worth", figure, description, caption, inputs.agreement)


def plot_layer_sweep(inputs: ReportInputs) -> Plot | None:
    """Return the scores by the number of shared layers."""
    sweep = inputs.layer_sweep
    if sweep is None:
        return None
    means = sweep.rows.groupby(["task", "shared"])["score"].mean()
    told = [
        f"{task}: "
        + ", ".join(
            f"{shared:.0f} layers {format_score(v, is_error=task in sweep.errors, unit=PERCENT)}"
            for shared, v in means[task].items()
        )
        for task in sweep.tasks
    ]
    caption = sentence(
        "Scores of {} against the number of layers that they share, from none (each on its own) "
        "to all. Points are means over seeds, bars their range.",
        join_tasks(sweep.tasks),
    )
    figure = draw_shared_layers(sweep, width_in=5.2)
    return _plot("shared-layers", figure, "; ".join(told), caption, sweep.rows)


def plot_combination_sweep(inputs: ReportInputs) -> Plot | None:
    """Return the average score of each {x,y,z} and grouping."""
    sweep = inputs.combination_sweep
    if sweep is None:
        return None
    means = sweep.rows.groupby(["grouping", "hierarchy"], sort=False)["score"].mean().reset_index()
    told = [
        f"{grouping} {{{hierarchy}}} {format_percent(float(score))}"
        for grouping, hierarchy, score in means.to_numpy().tolist()
    ]
    if math.isfinite(sweep.multi_task):
        told.append(f"multi-task {format_percent(sweep.multi_task)}")
    caption = sentence(
        "Average score over {} for different numbers of shared, cluster and task layers, a line "
        "per grouping; the dashed line is multi-task training. Points are means over seeds, bars "
        "their range.",
        count_noun(len(sweep.tasks), "task") if sweep.tasks else "the tasks",
    )
    figure = draw_layer_combinations(sweep, width_in=5.2)
    return _plot("layer-combinations", figure, "; ".join(told), caption, sweep.table)
