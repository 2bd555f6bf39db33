"""A study made ready to run: its encoder identified, its rows tokenised, its jobs at hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hmnet.data.first_look import find_row_problems
from hmnet.data.notes import tell_notes, write_notes
from hmnet.data.oddities import find_oddities, find_shadowed
from hmnet.data.raw import name_texts
from hmnet.data.task_data import TaskData, prepare
from hmnet.data.tokens import KnownTexts
from hmnet.encoders.locate import (
    identify,
    load_tokenizer,
    read_depth,
    read_max_positions,
    read_vocab_size,
)
from hmnet.encoders.parts import describe_length
from hmnet.encoders.tokenizer_fit import find_doubts, find_misfits
from hmnet.errors import InputError, RelevanceError, SourceError, raise_problems
from hmnet.runs.job import Job
from hmnet.runs.spec import RunSpec
from hmnet.storage.documents import to_plain
from hmnet.study.hierarchy import (
    Hierarchy,
    HierarchySpec,
    VariedHierarchy,
    settle_hierarchy,
)
from hmnet.study.settings import ModelRef, TrainingSettings
from hmnet.study.stages import SharingStage, simplify
from hmnet.study.study import Study

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class PreparedStudy:
    """A study whose data and encoder are at hand.

    Attributes:
        study: what was asked for.
        model: the encoder, identified by its content.
        depth: number of its layers.
        data: task name to tokenised rows, in the study's order.
        folders: task name to the folder of these rows, for workers.
        oddities: a sentence for each oddity of the rows (`hmnet.data.oddities`).
        teaching: how the single runs that others learn from are trained; None for as the study is.
    """

    def train_with(self, training: TrainingSettings) -> PreparedStudy:
        """Return the study with other settings, its teachers as they are."""
        study = dataclasses.replace(self.study, training=training)
        return dataclasses.replace(self, study=study, teaching=self.teaching or self.study.training)

    study: Study
    model: ModelRef
    depth: int
    data: Mapping[str, TaskData]
    folders: Mapping[str, Path]
    oddities: tuple[str, ...] = ()
    teaching: TrainingSettings | None = None

    def make_job(
        self,
        names: Iterable[str],
        hierarchy: Hierarchy,
        groups: Iterable[Sequence[str]],
        seed: int,
        *,
        duplicate: Literal["layer", "ffn"] = "layer",
        stages: Sequence[SharingStage] = (),
        keep_model: bool = False,
    ) -> Job:
        """Return the job that trains the named tasks with a hierarchy and groups.

        Args:
            hierarchy: of the last stage, where there are some; of all tasks or of each.
            duplicate: what groups and tasks own copies of; see `hmnet.models.paths.HMNet`.
            stages: what tasks share in each part of the run.
        """
        names = sorted(names)
        for layers in (hierarchy, *(stage.hierarchy for stage in stages)):
            layers.check_depth(self.depth)
        teachers = self._find_teachers(names, seed)
        settled = settle_hierarchy(hierarchy, names)
        last = [dataclasses.replace(stage, hierarchy=_find_default(settled)) for stage in stages]
        spec = RunSpec(
            tasks=tuple(self.study.tasks[name] for name in names),
            data={name: self.data[name].fingerprint for name in names},
            model=self.model,
            hierarchy=_find_default(settled),
            depths=settled.own if isinstance(settled, VariedHierarchy) else {},
            groups=tuple(sorted(tuple(sorted(group)) for group in groups)),
            training=self.study.training,
            seed=seed,
            duplicate=duplicate,
            stages=simplify([*stages[:-1], *last[-1:]]),
            teachers={name: teacher.spec.run_id for name, teacher in teachers.items()},
        )
        folders = {name: self.folders[name] for name in names}
        before = tuple(teachers.values())
        return Job(spec, folders, keep_model, self.study.rows.max_length, before=before)

    def _find_teachers(self, names: Iterable[str], seed: int) -> dict[str, Job]:
        """Return the run that each task learns from; none without distillation."""
        if self.study.training.distillation is None:
            return {}
        taught_by = self.teaching or self.study.training
        plain = self.train_with(dataclasses.replace(taught_by, distillation=None))
        return {name: plain.single(name, seed, keep_model=True) for name in names}

    def single(self, name: str, seed: int, *, keep_model: bool = False) -> Job:
        """Return the job that fine-tunes one task: {0,0,L}."""
        own = HierarchySpec(0, 0, self.depth)
        return self.make_job([name], own, [[name]], seed, keep_model=keep_model)

    def after(self, source: str, name: str, seed: int) -> Job:
        """Return the job that fine-tunes a task from the weights of a source's own run."""
        plain = dataclasses.replace(self.study.training, distillation=None)
        first = self.train_with(plain).single(source, seed, keep_model=True)
        job = self.single(name, seed)
        spec = dataclasses.replace(job.spec, start_from=first.spec.run_id)
        return dataclasses.replace(job, spec=spec, before=(*job.before, first))

    def shared(self, names: Iterable[str], seed: int, *, keep_model: bool = False) -> Job:
        """Return the job that fine-tunes tasks with every layer shared: {L,0,0}."""
        names = list(names)
        all_shared = HierarchySpec(self.depth, 0, 0)
        return self.make_job(names, all_shared, [names], seed, keep_model=keep_model)

    def skillnet(self, names: Iterable[str], seed: int) -> Job:
        """Return the job that trains the SkillNet-style baseline on tasks."""
        job = self.shared(names, seed)
        return dataclasses.replace(job, spec=dataclasses.replace(job.spec, system="skillnet"))


def _find_default(hierarchy: Hierarchy) -> HierarchySpec:
    return hierarchy.default if isinstance(hierarchy, VariedHierarchy) else hierarchy


def prepare_study(study: Study, folder: Path) -> PreparedStudy:
    """Identify the encoder and tokenise every task's rows once, under `folder`.

    What is odd about the rows is logged as a warning, and kept in `folder`.

    Raises:
        InputError, SourceError: if the encoder or a task's rows cannot be used, with all problems.
    """
    model, tokenizer = _load_encoder(study, folder)
    data = _prepare_tasks(study, tokenizer, folder)
    vocab_size = read_vocab_size(model.name, model.revision)
    raise_problems(find_misfits(data, tokenizer, vocab_size, study.model))
    doubts = find_doubts(data, tokenizer, vocab_size)
    oddities = (*doubts, *find_shadowed(study), *find_oddities(data))
    tell_notes(oddities, folder)
    write_notes(folder, oddities)
    return PreparedStudy(
        study=study,
        model=model,
        depth=read_depth(model.name, model.revision),
        data=data,
        folders={name: d.folder for name, d in data.items() if d.folder},
        oddities=oddities,
    )


def _load_encoder(study: Study, folder: Path) -> tuple[ModelRef, PreTrainedTokenizerFast]:
    """Identify the encoder and load its tokenizer; what is wrong with the rows is told with it."""
    try:
        model = identify(study.model, study.revision)
        return model, load_tokenizer(model.name, model.revision)
    except (InputError, SourceError) as error:
        if problems := tuple(find_row_problems(study, folder)):
            raise InputError(*error.problems, *problems) from error
        raise


def _prepare_tasks(
    study: Study, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> dict[str, TaskData]:
    """Tokenise every task's rows, the texts of several tasks once; problems come in one error."""
    problems = list(_find_length_problems(study))
    errors: list[RelevanceError] = []
    data: dict[str, TaskData] = {}
    for names in _group_by_texts(study):
        known = KnownTexts() if len(names) > 1 else None
        for name in names:
            task = study.tasks[name]
            try:
                data[name] = prepare(task, tokenizer, study.rows, folder, study.data_folder, known)
            except (InputError, SourceError) as error:
                errors.append(error)
                problems.extend(error.problems)
    if len(errors) == 1 and len(problems) == len(errors[0].problems):
        raise errors[0]
    raise_problems(dict.fromkeys(problems))
    return {name: data[name] for name in study.tasks}


def _group_by_texts(study: Study) -> list[list[str]]:
    """Return the tasks that read the same texts together, in the study's order."""
    groups: dict[object, list[str]] = {}
    for name, task in study.tasks.items():
        try:
            key: object = name_texts(task, study.data_folder)
        except InputError:  # told when the task is prepared
            key = name
        groups.setdefault(key, []).append(name)
    return list(groups.values())


def _find_length_problems(study: Study) -> Iterator[str]:
    longest = read_max_positions(study.model, study.revision)
    if longest is not None and study.rows.max_length > longest:
        yield describe_length(study.model, longest, study.rows.max_length)


def describe_study(prepared: PreparedStudy) -> dict[str, object]:
    """Return what decides the numbers of a study's runs, for a matrix's provenance."""
    return {
        "model": to_plain(prepared.model),
        "training": to_plain(prepared.study.training),
        "rows": to_plain(prepared.study.rows),
        "data": {name: data.fingerprint for name, data in prepared.data.items()},
    }
