"""A made-up output folder that looks like a real study's: 13 tasks, three hidden families.

Every number comes from a seeded generator: a gain is a family effect plus noise that shrinks with
the size of the target's dev set, and its interval and test follow from that noise.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from hmnet.folder.task_format import TASKS
from hmnet.runs.result import FAILURE_SCHEMA, RESULT_SCHEMA, RunFailure, RunResult
from hmnet.runs.spec import SPEC_SCHEMA, RunSpec
from hmnet.runs.store import PREDICTIONS_SCHEMA
from hmnet.storage.digests import digest
from hmnet.storage.documents import to_plain, write_document
from hmnet.storage.tables import write_table
from hmnet.study.hierarchy import Groups, HierarchySpec
from hmnet.study.settings import ModelRef, TrainingSettings
from hmnet.study.tasks import PAPER_TASKS, Task
from relevance.attention.attention_format import ATTENTION, ATTENTION_LAYERS
from relevance.groups.clustering import to_table
from relevance.groups.group_format import CLUSTERS, STABILITY
from relevance.matrices.matrix import RelevanceMatrix
from relevance.pairwise.sweep_record_format import COLLAPSED, DECOMPOSITION_SCHEMA, TARGETS
from relevance.planted_format import PLANTED_SCHEMA, PlantedRecord, Recovery
from relevance.systems.comparison_format import COMPARISON
from relevance.systems.sweep_format import COMBINATION_SWEEP, LAYER_SWEEP

N_DEV = {
    "mnli": 19647, "qnli": 5463, "rte": 277, "wnli": 71, "cb": 56, "snli": 9842, "imdb": 25000,
    "sst2": 872, "qqp": 40430, "stsb": 1500, "mrpc": 408, "boolq": 3270, "multirc": 4848,
}  # fmt: skip
SINGLE = {
    "mnli": 0.82, "qnli": 0.89, "rte": 0.62, "wnli": 0.563, "cb": 0.75, "snli": 0.89, "imdb": 0.91,
    "sst2": 0.91, "qqp": 0.89, "stsb": 0.86, "mrpc": 0.83, "boolq": 0.70, "multirc": 0.63,
}  # fmt: skip
FAMILIES = (
    ("mnli", "rte", "cb", "snli", "wnli"),
    ("imdb", "sst2", "boolq", "multirc"),
    ("qqp", "stsb", "mrpc", "qnli"),
)
SYSTEMS = {
    "single-task": (0.0, 22.7e6, 295.1e6),
    "multi-task": (0.012, 22.7e6, 22.7e6),
    "skillnet": (0.016, 34.1e6, 92.5e6),
    "hmnet-vocabulary": (0.017, 22.7e6, 47.9e6),
    "hmnet-manual": (0.019, 22.7e6, 49.7e6),
    "hmnet-pairwise": (0.024, 22.7e6, 47.9e6),
}
MODEL = ModelRef("sentence-transformers/all-MiniLM-L6-v2", "c9745ed1", "5b2e" * 8)
VERSIONS = {"python": "3.11.7", "task-relevance": "0.1.0", "torch": "2.13.0"}


@dataclass(frozen=True)
class Made:
    """What the generator was asked for, and where it wrote.

    Attributes:
        out: the output folder.
        tasks: task names.
        families: the hidden groups.
        seeds: seeds of the runs.
    """

    out: Path
    tasks: tuple[str, ...]
    families: tuple[tuple[str, ...], ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def family(self, task: str) -> int:
        return next(i for i, members in enumerate(self.families) if task in members)

    def n_dev(self, task: str) -> int:
        return N_DEV.get(task, 200 + 40 * self.tasks.index(task))

    def single(self, task: str) -> float:
        return SINGLE.get(task, 0.6 + 0.3 * (self.tasks.index(task) % 7) / 7)


def make_study(out: Path) -> Made:
    """Plan the 13 tasks of the paper; nothing is written yet."""
    return Made(out, tuple(PAPER_TASKS), FAMILIES)


def make_many(out: Path, count: int) -> Made:
    """Plan `count` tasks with long and short names in families of about six."""
    tasks = tuple(f"{'domain-' * (i % 3)}task{i:02d}" for i in range(count))
    size = max(count // 6, 1)
    return Made(out, tasks, tuple(tasks[i::size] for i in range(size)))


def write_everything(made: Made, undefined: Sequence[str] = ()) -> None:
    """Write every stage of a finished study, with a few failed and unfinished runs."""
    write_vocabulary(made)
    matrix = write_pairwise(made, undefined=undefined)
    write_groups(made, matrix)
    write_comparison(made)
    write_runs(made)
    write_failures(made)
    write_layer_sweep(made, ["mnli", "boolq"])
    write_combination_sweep(made)
    write_attention(made)
    write_layers(made)
    write_doubts(made, matrix)
    write_tasks(made)
    write_study_file(made)


def write_vocabulary(made: Made) -> RelevanceMatrix:
    sizes = np.array([0.05 + 0.9 * made.rng.random() for _ in made.tasks])
    values = np.clip(sizes[:, None] ** 0.6 + 0.1 * made.rng.random((len(sizes),) * 2), 0, 0.995)
    np.fill_diagonal(values, 1.0)
    matrix = RelevanceMatrix.from_array(
        values, made.tasks, "vocabulary", {"unit": "wordpiece", "equation": 2}
    )
    matrix.write(made.out / "vocab.parquet")
    return matrix


def write_pairwise(
    made: Made, *, seeds: int = 3, tested: bool = True, undefined: Sequence[str] = ()
) -> RelevanceMatrix:
    """Write gains with intervals and tests, or (one seed) without.

    Args:
        undefined: targets that learned nothing alone.
    """
    size = len(made.tasks)
    truth = np.zeros((size, size))
    noise = np.zeros_like(truth)
    for i, source in enumerate(made.tasks):
        for j, target in enumerate(made.tasks):
            room = 1 - made.single(target)
            same = made.family(source) == made.family(target)
            truth[i, j] = room * (0.25 if same else -0.04) * (0.5 + made.rng.random())
            noise[i, j] = 0.6 * np.sqrt(room / made.n_dev(target)) / np.sqrt(seeds) + 0.002
    values = truth + noise * made.rng.standard_normal(truth.shape)
    np.fill_diagonal(values, 0.0)
    columns = {
        "n_seeds": np.where(np.eye(size, dtype=bool), np.nan, seeds),
        "n_dev": np.tile([made.n_dev(task) for task in made.tasks], (size, 1)).astype(float),
    }
    if undefined:
        columns["undefined"] = np.tile([task in undefined for task in made.tasks], (size, 1))
    if tested:
        columns |= _test_gains(values, noise)
    matrix = RelevanceMatrix.from_array(
        values,
        made.tasks,
        "pairwise",
        {"model": to_plain(MODEL), "seeds": list(range(seeds))},
        **columns,
    )
    matrix.write(made.out / "pairwise.parquet")
    return matrix


def _test_gains(values: np.ndarray, noise: np.ndarray) -> dict[str, np.ndarray]:
    away = ~np.eye(len(values), dtype=bool)
    p = np.full_like(values, np.nan)
    p[away] = 2 * stats.norm.sf(np.abs(values / noise))[away]
    q = np.full_like(values, np.nan)
    q[away] = stats.false_discovery_control(p[away])
    low, high = values - 1.96 * noise, values + 1.96 * noise
    low[~away] = high[~away] = np.nan
    return {"ci_low": low, "ci_high": high, "p_value": p, "q_value": q}


def write_groups(made: Made, matrix: RelevanceMatrix, *, stability: float | None = 0.86) -> Groups:
    origin = {
        "method": "kmeans",
        "k": len(made.families),
        "measure": matrix.measure,
        "matrix": matrix.identity,
    }
    origin |= {"seed": 0, "n_init": 200, "stability": {"share": 0.64, "mean_ari": 0.83}}
    ordered = sorted(made.families, key=lambda members: (-len(members), min(members)))
    groups = Groups({str(i): tuple(m) for i, m in enumerate(ordered, start=1)}, origin)
    groups.write(made.out / "groups.json")
    table = to_table(groups, matrix)
    write_table(made.out / "clusters.parquet", table, CLUSTERS.schema, dict(groups.origin))
    if stability is not None:
        _write_together(made, stability)
    return groups


def _write_together(made: Made, stability: float) -> None:
    rows = [
        (a, b, _share(made, a, b, stability))
        for i, a in enumerate(made.tasks)
        for b in made.tasks[: i + 1]
    ]
    mirrored = [(b, a, share) for a, b, share in rows if a != b]
    frame = pd.DataFrame(rows + mirrored, columns=["task", "other", "together"])
    order = {task: i for i, task in enumerate(made.tasks)}
    frame = frame.sort_values(["task", "other"], key=lambda column: column.map(order))
    write_table(made.out / "stability.parquet", frame, STABILITY.schema, {"draws": 1000})


def _share(made: Made, a: str, b: str, stability: float) -> float:
    if a == b:
        return 1.0
    same = made.family(a) == made.family(b)
    near = stability + 0.1 * made.rng.random() if same else (1 - stability) * made.rng.random()
    return float(np.clip(near, 0, 1).round(3))


def write_comparison(made: Made, *, seeds: int = 3, intervals: bool = True) -> pd.DataFrame:
    rows = []
    for seed in range(seeds):
        for system, (gain, activated, overall) in SYSTEMS.items():
            scores = {}
            for task in made.tasks:
                noise = 0.4 / np.sqrt(made.n_dev(task)) + 0.002
                shift = gain * (1.6 if made.single(task) < 0.8 else 0.3)
                scores[task] = made.single(task) + shift + noise * 0.4 * made.rng.standard_normal()
            scores["average"] = float(np.mean(list(scores.values())))
            for task, score in scores.items():
                size = sum(map(made.n_dev, made.tasks)) if task == "average" else made.n_dev(task)
                half = 1.96 * np.sqrt(score * (1 - score) / size) if intervals else np.nan
                rows.append(
                    (system, task, seed, score, score - half, score + half, activated, overall)
                )
    frame = pd.DataFrame(rows, columns=list(COMPARISON.columns))
    write_table(made.out / "compare.parquet", frame, COMPARISON.schema, _describe_systems(made))
    return frame


def _describe_systems(made: Made) -> dict[str, object]:
    """Return the provenance that `hmnet compare` writes, as far as a report shows it."""
    layers = {"single-task": None, "multi-task": "6,0,0", "skillnet": None}
    groups = {str(i): list(members) for i, members in enumerate(made.families, start=1)}
    systems = [
        {
            "name": system,
            "hierarchy": layers.get(system, "4,1,1"),
            "groups": groups if system.startswith("hmnet") else None,
            "duplicate": "layer",
        }
        for system in SYSTEMS
    ]
    rows = {"max_train": 2000, "max_dev": None, "max_length": 128, "sample_seed": 0}
    return {"training": to_plain(TrainingSettings()), "rows": rows, "systems": systems}


def write_planted(made: Made, index: float = 1.0) -> None:
    planted = PlantedRecord(
        "Three families of small tasks; within a family they share a lexicon and a hidden rule.",
        {f"family {i}": members for i, members in enumerate(made.families, start=1)},
        Recovery(adjusted_rand_index=index, k=len(made.families)),
    )
    write_document(made.out / "planted.json", PLANTED_SCHEMA, planted)


def write_attention(made: Made) -> None:
    for source, target in (("qqp", "rte"), ("mrpc", "rte")):
        frames = [
            _similarities(made, task, other) for task, other in ((source, target), (target, source))
        ]
        path = made.out / "attention" / f"{source}-{target}.parquet"
        write_table(path, pd.concat(frames), ATTENTION.schema, {})


def write_layers(made: Made) -> None:
    """Write how attention goes with gains, as `relevance attention --all-pairs` does."""
    layer = np.arange(1, 7)
    frame = pd.DataFrame(
        {
            "layer": layer,
            "similarity": 1 - 0.03 * layer,
            "with_gain": 1 - 0.02 * layer,
            "with_loss": 1 - 0.04 * layer,
            "spearman": 0.1 * layer - 0.2,
            "pairs": len(made.tasks) * (len(made.tasks) - 1),
        }
    )
    write_table(made.out / "attention-layers.parquet", frame, ATTENTION_LAYERS.schema, {})


def write_doubts(made: Made, matrix: RelevanceMatrix) -> None:
    """Write what the sweep says of targets, of collapsed runs, and of the gains' variance."""
    targets = [
        (task, made.single(task), 0.5, "not shown" if task == "wnli" else "yes", made.n_dev(task))
        for task in made.tasks
    ]
    frame = pd.DataFrame(targets, columns=["task", "single", "majority", "beats", "n_dev"])
    frame = frame.assign(n_single=3, n_joint=3, detectable=0.011)
    write_table(made.out / "pairwise-targets.parquet", frame, TARGETS.schema, {})
    collapsed = [("wnli", "rte", 1, "one class predicted; loss at chance", True)]
    frame = pd.DataFrame(collapsed, columns=list(COLLAPSED.columns))
    write_table(made.out / "pairwise-collapsed.parquet", frame, COLLAPSED.schema, {})
    shares = {"row": 0.2, "column": 0.3, "interaction": 0.5}
    noise = {"row": 0.01, "column": 0.02, "interaction": 0.07}
    content = {"schema": DECOMPOSITION_SCHEMA, "matrix": matrix.identity, "mean": 0.01}
    content |= {"shares": shares, "noise_shares": noise}
    (made.out / "pairwise-decomposition.json").write_text(json.dumps(content))


def _similarities(made: Made, task: str, partner: str) -> pd.DataFrame:
    layer, head = np.divmod(np.arange(72), 12)
    falling = 1 - 0.02 * layer**1.6 * (0.5 + made.rng.random(72))
    return pd.DataFrame(
        {
            "task": task,
            "partner": partner,
            "layer": layer + 1,
            "head": head + 1,
            "similarity": falling,
        }
    )


def write_tasks(made: Made) -> None:
    """Write what the tasks' data are, as `relevance tasks` does."""
    rows = [
        (
            task,
            f"family {made.family(task)}",
            split,
            size,
            1 if task == "stsb" else 2,
            27,
            61,
            0.012,
        )
        for task in made.tasks
        for split, size in (("train", 2000), ("validation", made.n_dev(task)))
    ]
    frame = pd.DataFrame(rows, columns=list(TASKS.columns)[:-1]).assign(metrics="accuracy/f1")
    write_table(made.out / "tasks.parquet", frame, TASKS.schema, {})


def write_study_file(made: Made) -> None:
    names = ", ".join(f'"{task}"' for task in made.tasks)
    text = f'schema = "study/1"\ntasks = [{names}]\nmodel = "{MODEL.name}"\nseeds = [0, 1, 2]\n'
    (made.out / "study.toml").write_text(text, encoding="utf-8")


def write_runs(made: Made, *, pairs: bool = True) -> None:
    """Write single, pair, multi-task and HMNet runs of every seed."""
    tasks = made.tasks
    everything = [[task] for task in tasks]
    if pairs:
        everything += [[a, b] for i, a in enumerate(tasks) for b in tasks[i + 1 :]]
    for seed in made.seeds:
        for names in everything:
            write_run(made, names, seed)
    write_run(made, tasks, 0, curve=True)
    write_run(made, tasks, 0, HierarchySpec(4, 1, 1), made.families, curve=True)
    write_run(made, tasks, 0, system="skillnet", curve=True)


def write_layer_sweep(made: Made, tasks: Sequence[str], shared: Sequence[int] = (0, 2, 6)) -> None:
    """Write the scores of each number of shared layers, as `hmnet sweep --shared` does."""
    rows = [
        (task, x, seed, made.single(task) + 0.004 * x + 0.01 * made.rng.standard_normal())
        for task in sorted(tasks)
        for x in shared
        for seed in made.seeds
    ]
    frame = pd.DataFrame(rows, columns=list(LAYER_SWEEP.columns))
    write_table(
        made.out / "sweep-layers.parquet", frame, LAYER_SWEEP.schema, {"tasks": sorted(tasks)}
    )


def write_combination_sweep(
    made: Made,
    hierarchies: Sequence[str] = ("4,1,1", "3,2,1"),
    groupings: Sequence[str] = ("manual", "pairwise"),
) -> None:
    """Write the average score of each {x,y,z}, as `hmnet sweep --hierarchies` does."""
    points = [(h, grouping) for grouping in groupings for h in hierarchies]
    rows = [
        (h, int(h[0]), grouping, seed, 0.79 + 0.003 * made.rng.standard_normal())
        for h, grouping in [*points, ("6,0,0", "multi-task")]
        for seed in made.seeds
    ]
    frame = pd.DataFrame(rows, columns=list(COMBINATION_SWEEP.columns))
    origin = {"tasks": sorted(made.tasks)}
    path = made.out / "sweep-combinations.parquet"
    write_table(path, frame, COMBINATION_SWEEP.schema, origin)


def make_spec(
    names: Sequence[str],
    seed: int,
    hierarchy: HierarchySpec | None = None,
    groups: Sequence[Sequence[str]] | None = None,
    system: Literal["hierarchy", "skillnet"] = "hierarchy",
) -> RunSpec:
    names = sorted(names)
    alone = HierarchySpec(0, 0, 6) if len(names) == 1 else HierarchySpec(6, 0, 0)
    return RunSpec(
        tasks=tuple(
            PAPER_TASKS.get(name) or Task(name=name, text=("text",), labels=(0, 1))
            for name in names
        ),
        data={name: digest(name) for name in names},
        model=MODEL,
        hierarchy=hierarchy or alone,
        groups=tuple(sorted(tuple(sorted(group)) for group in groups or [names])),
        training=TrainingSettings(),
        seed=seed,
        system=system,
    )


def write_run(
    made: Made,
    names: Sequence[str],
    seed: int,
    hierarchy: HierarchySpec | None = None,
    groups: Sequence[Sequence[str]] | None = None,
    *,
    system: Literal["hierarchy", "skillnet"] = "hierarchy",
    curve: bool = False,
    collapsed: bool = False,
) -> Path:
    """Write a finished run, without syncing each file as the engine does."""
    spec = make_spec(names, seed, hierarchy, groups, system)
    folder = made.out / "runs" / spec.run_id
    folder.mkdir(parents=True, exist_ok=True)
    primary = {n: made.single(n) + 0.01 * made.rng.standard_normal() for n in spec.names}
    result = RunResult(
        scores={n: {"validation": {"accuracy": primary[n]}} for n in spec.names},
        primary=primary,
        n_dev={n: {"validation": made.n_dev(n)} for n in spec.names},
        steps=40 * len(names),
        train_tokens=64_000 * len(names),
        seconds={"train": 11.0 * len(names), "evaluate": 2.0 * len(names)},
        parameters={"overall": 22_700_000, "activated": 22_700_000},
        final_loss=dict.fromkeys(spec.names, 0.4),
        versions=VERSIONS,
    )
    _dump(folder / "spec.json", SPEC_SCHEMA, spec)
    _dump(folder / "result.json", RESULT_SCHEMA, result)
    if curve or len(names) == 1:
        _write_losses(made, folder / "metrics.jsonl", spec.names)
    if collapsed:
        _write_collapsed(folder, spec.names)
    return folder


def _dump(path: Path, schema: str, value: object) -> None:
    path.write_text(json.dumps({"schema": schema, **to_plain(value)}), encoding="utf-8")


def _write_losses(made: Made, path: Path, names: Sequence[str]) -> None:
    lines = []
    for step in range(40 * len(names)):
        task = names[step % len(names)]
        loss = 0.25 + 0.6 * np.exp(-step / (14 * len(names))) + 0.05 * made.rng.random()
        lines.append(json.dumps({"step": step, "epoch": 0, "task": task, "loss": loss}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_collapsed(folder: Path, names: Sequence[str]) -> None:
    frame = pd.DataFrame({"label": [0, 0, 1], "prediction": [0, 0, 0]})
    for name in names:
        write_table(folder / "predictions" / f"{name}.parquet", frame, PREDICTIONS_SCHEMA, {})


def write_failures(
    made: Made, error: str = "The training loss of `cb` became nan at step 3."
) -> None:
    """Write two failed runs, one under way and one that was killed, of a seed without others."""
    for i, names in enumerate((["cb", "wnli"], ["cb", "rte"], ["cb", "qqp"], ["cb", "snli"])):
        spec = make_spec(names, 9)
        folder = made.out / "runs" / spec.run_id
        folder.mkdir(parents=True)
        _dump(folder / "spec.json", SPEC_SCHEMA, spec)
        if i < 2:
            _dump(folder / "failure.json", FAILURE_SCHEMA, RunFailure(error))
        elif i == 2:
            (folder / ".running").touch()
