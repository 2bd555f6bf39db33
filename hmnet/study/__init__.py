r"""What a user asks for, in the field's words (no torch).

Tasks, metrics, training settings, hierarchies of groups, and the file that holds them.

>>> from pathlib import Path
>>> from hmnet.study import Groups, HierarchySpec, load_study
>>> file = Path("study.toml")
>>> _ = file.write_text('schema = "study/1"\ntasks = ["rte", "mrpc"]\nseeds = [0, 1]\n')
>>> study = load_study(file, {"training.epochs": 1})
>>> list(study.tasks), study.seeds, study.training.epochs
(['rte', 'mrpc'], (0, 1), 1)
>>> study.tasks["rte"].text, study.tasks["mrpc"].all_metrics
(('sentence1', 'sentence2'), ('accuracy', 'f1'))
>>> str(HierarchySpec.default(depth=12)), Groups.one(study.tasks).partition
('8,2,2', (('mrpc', 'rte'),))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmnet.study.hierarchy import Groups, HierarchySpec, name_groups
    from hmnet.study.metrics import METRICS, score
    from hmnet.study.settings import STRICT, DataSettings, ModelRef, TrainingSettings
    from hmnet.study.skills import SKILLS, find_skills
    from hmnet.study.stages import SharingSettings, SharingStage, parse_stages
    from hmnet.study.study import (
        STUDY_FILE,
        Study,
        load_study,
        parse_settings,
        resolve_study,
        write_study,
    )
    from hmnet.study.study_file import Setting
    from hmnet.study.system_settings import SystemSettings
    from hmnet.study.tasks import (
        ANSWERING,
        FURTHER_TASKS,
        INFERENCE,
        KNOWN_TASKS,
        NAME_PATTERN,
        PAPER_TASKS,
        SENTIMENT,
        SIMILARITY,
        Source,
        Task,
        find_tasks,
    )
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "ANSWERING",
    "FURTHER_TASKS",
    "INFERENCE",
    "KNOWN_TASKS",
    "METRICS",
    "NAME_PATTERN",
    "PAPER_TASKS",
    "SENTIMENT",
    "SIMILARITY",
    "SKILLS",
    "STRICT",
    "STUDY_FILE",
    "DataSettings",
    "Groups",
    "HierarchySpec",
    "ModelRef",
    "Setting",
    "SharingSettings",
    "SharingStage",
    "Source",
    "Study",
    "SystemSettings",
    "Task",
    "TrainingSettings",
    "find_skills",
    "find_tasks",
    "load_study",
    "name_groups",
    "parse_settings",
    "parse_stages",
    "resolve_study",
    "score",
    "write_study",
]
