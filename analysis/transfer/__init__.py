"""What one task's model, or its answers, tell of another task's labels.

>>> import numpy as np
>>> from analysis.transfer import find_leep, score_classes
>>> labels = np.array([0, 0, 1, 1])
>>> find_leep(np.eye(2)[labels], labels)       # the source's answers are the target's labels
0.0
>>> rows = np.array([[1.0, 0.0], [0.9, 0.3], [-1.0, 0.1], [-0.9, -0.4]])
>>> score_classes(rows, labels) > score_classes(rows[:, ::-1][[0, 2, 1, 3]], labels)
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.transfer.class_scatter import score_classes
    from analysis.transfer.discriminator import discriminate
    from analysis.transfer.label_likelihood import cut_values, find_leep, find_nce, soften
    from analysis.transfer.likeness import (
        compare_information,
        compare_representations,
        find_cosine,
    )
    from analysis.transfer.log_evidence import find_class_evidence, find_value_evidence
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "compare_information",
    "compare_representations",
    "cut_values",
    "discriminate",
    "find_class_evidence",
    "find_cosine",
    "find_leep",
    "find_nce",
    "find_value_evidence",
    "score_classes",
    "soften",
]
