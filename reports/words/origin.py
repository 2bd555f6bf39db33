"""Where the numbers come from: models, versions, seeds, fingerprints, commands."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hmnet.folder.freshness import STUDY_CHANGED
from hmnet.runs.spec import RunSpec
from hmnet.storage.documents import to_plain
from relevance.measures.registry import MEASURES
from reports.inputs.report_inputs import ReportInputs
from reports.inputs.run_index import RUN_KINDS, RunIndex, RunRecord
from reports.style.formatting import count_noun, format_duration, format_number
from reports.tables.attention_pairs import list_attention_pairs
from reports.words.next_steps import STAGES, in_folder


@dataclass(frozen=True)
class Fact:
    """A name and the values found for it, usually one."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class StageCost:
    """What the runs of one kind took.

    Attributes:
        kind: how their tasks share layers.
        runs: how many are finished.
        tokens: training tokens.
        seconds: of one worker, training and evaluation.
    """

    kind: str
    runs: int
    tokens: int
    seconds: float

    @property
    def time(self) -> str:
        """The seconds as text."""
        return format_duration(self.seconds)

    @property
    def speed(self) -> str:
        """Training tokens per second of a worker."""
        return format_number(self.tokens / self.seconds, 0) if self.seconds > 0 else "–"


def sum_costs(index: RunIndex) -> list[StageCost]:
    """Return what each kind of run took in all."""
    found = []
    for kind in RUN_KINDS:
        records = [record for record in index.done if record.kind == kind]
        if records:
            tokens = sum(record.result.train_tokens for record in records)
            seconds = sum(record.seconds for record in records)
            found.append(StageCost(kind, len(records), tokens, seconds))
    return found


def list_facts(inputs: ReportInputs) -> list[Fact]:
    """Return models, settings, versions and seeds of all finished runs."""
    done = inputs.runs.done
    specs = [record.spec for record in done]
    facts = [
        Fact("Encoder", _unique(_name_model(spec) for spec in specs)),
        Fact("Training", _unique(_name_training(spec) for spec in specs)),
        Fact("Seeds", (", ".join(map(str, inputs.runs.seeds)),) if specs else ()),
        Fact("Versions", _unique(_name_versions(record) for record in done)),
        Fact("Runs", (_count_runs(inputs.runs),)),
    ]
    return [fact for fact in facts if fact.values]


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _name_model(spec: RunSpec) -> str:
    model = spec.model
    revision = f", revision {model.revision}" if model.revision else ""
    return f"{model.name}{revision}, fingerprint {model.fingerprint[:12]}"


def _name_training(spec: RunSpec) -> str:
    settings = {k: v for k, v in to_plain(spec.training).items() if v not in (None, {})}
    return ", ".join(
        f"{k.replace('_', ' ')} {v:g}" if isinstance(v, float) else f"{k.replace('_', ' ')} {v}"
        for k, v in settings.items()
    )


def _name_versions(record: RunRecord) -> str:
    return ", ".join(f"{name} {version}" for name, version in record.result.versions.items())


def _count_runs(index: RunIndex) -> str:
    parts = [count_noun(len(index.done), "finished run")]
    parts += [f"{len(index.failed)} failed"] if index.failed else []
    parts += [f"{index.running} under way or killed"] if index.running else []
    parts += [f"{index.unfinished} begun and not finished"] if index.unfinished else []
    return ", ".join(parts)


@dataclass(frozen=True)
class TaskDataRow:
    """A task's data as its runs saw it."""

    task: str
    metric: str
    dev: str
    fingerprints: tuple[str, ...]


def list_data(index: RunIndex) -> list[TaskDataRow]:
    """Return metric, dev examples and fingerprints of each task's data."""
    rows: dict[str, tuple[str, str]] = {}
    prints: dict[str, dict[str, None]] = {}
    for record in index.done:
        for task in record.spec.tasks:
            count = sum(record.result.n_dev.get(task.name, {}).values())
            rows[task.name] = (task.metric, format_number(count, 0))
            prints.setdefault(task.name, {})[record.spec.data[task.name][:12]] = None
    return [TaskDataRow(name, *rows[name], tuple(prints[name])) for name in sorted(rows)]


def list_documents(inputs: ReportInputs) -> Iterator[tuple[str, str]]:
    """Yield title and text of what is printed as it is: study file and recorded origins.

    A study file that was edited since is left out: it would stand beside numbers of other settings.
    """
    if inputs.study is not None and not any(STUDY_CHANGED in text for text in inputs.stale):
        yield "study.toml", inputs.study
    files = {measure.measure: f"{measure.name}.parquet" for measure in MEASURES.values()}
    for name, matrix in inputs.matrices.items():
        if matrix.provenance:
            yield f"Origin of {files.get(name, name)}", _print(matrix.provenance)
    if inputs.groups is not None and inputs.groups.origin:
        yield "Origin of groups.json", _print(inputs.groups.origin)


def _print(content: Mapping[str, object]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, default=str)


def list_commands(inputs: ReportInputs) -> list[str]:
    """Return the commands that make what this report shows, in their order."""
    present = {
        "vocabulary": inputs.vocabulary is not None,
        "pairwise": inputs.pairwise is not None,
        "groups": inputs.groups is not None,
        "training": bool(inputs.trained),
        "comparison": inputs.comparison is not None,
    }
    commands = {**STAGES, "pairwise": _pairwise_command(inputs), "groups": _group_command(inputs)}
    made = ["relevance tasks"] if inputs.data is not None else []
    made += [_measure_command(inputs)] if inputs.further else []
    made += [commands[stage] for stage, is_there in present.items() if is_there]
    made += [*_sweep_commands(inputs), *_attention_commands(inputs)]
    return [in_folder(command, inputs.name) for command in (*made, "relevance report")]


def _measure_command(inputs: ReportInputs) -> str:
    names = [m.name for m in MEASURES.values() if m.measure in inputs.further]
    return f"relevance measure {' '.join(names)}"


def _pairwise_command(inputs: ReportInputs) -> str:
    if inputs.imported is not None:
        return f"relevance import {shlex.quote(inputs.imported)}"
    return STAGES["pairwise"] + _name_seeds(r.spec.seed for r in inputs.runs.of_kind("pair"))


def _name_seeds(found: Iterable[int]) -> str:
    """Return the option for several seeds; empty for one, the default."""
    seeds = sorted(set(found))
    if len(seeds) < 2:
        return ""
    counted = seeds == list(range(len(seeds)))
    return f" --seeds {len(seeds) if counted else ','.join(map(str, seeds))}"


def _sweep_commands(inputs: ReportInputs) -> Iterator[str]:
    if (layers := inputs.layer_sweep) is not None:
        shared = ",".join(f"{x:.0f}" for x in sorted(set(layers.rows["shared"])))
        tasks = shlex.quote(",".join(layers.tasks))
        seeds = _name_seeds(map(int, layers.rows["seed"]))
        yield f"hmnet sweep --tasks {tasks} --shared {shared}{seeds}"
    if (combined := inputs.combination_sweep) is not None:
        hierarchies = shlex.quote(";".join(combined.hierarchies))
        seeds = _name_seeds(map(int, combined.table["seed"]))
        yield f"hmnet sweep --hierarchies {hierarchies}{seeds}"


def _attention_commands(inputs: ReportInputs) -> Iterator[str]:
    if inputs.layers is not None:
        yield "relevance attention --all-pairs"
    if inputs.attention is not None:
        pairs = list_attention_pairs(inputs.attention)
        named = [f" --pair {shlex.quote(','.join(pair.tasks))}" for pair in pairs]
        yield f"relevance attention{''.join(named)}"


def _group_command(inputs: ReportInputs) -> str:
    if inputs.groups is None:
        return STAGES["groups"]
    origin = inputs.groups.origin
    count = "auto" if "decision" in origin or "auto" in origin else len(inputs.groups.groups)
    source = origin.get("source")
    named = f" --matrix {shlex.quote(str(source))}" if source is not None else ""
    return f"relevance cluster --k {count}{named}"
