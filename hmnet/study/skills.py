"""The skills of the SkillNet-style baseline, and which of them a task activates.

Seven skills as in Tang et al. (2022), whose tasks fall into categories with a skill set each. All
tasks here are answered by classifying a whole sequence, so `s1` takes the place of `s2` in the
set of question answering.
"""

from __future__ import annotations

from collections.abc import Mapping

from hmnet.study.tasks import ANSWERING, INFERENCE, SENTIMENT, SIMILARITY, Task

SKILLS: Mapping[str, str] = {
    "s1": "the meaning of a sequence",
    "s2": "the meaning of a token",
    "s3": "how two text segments interact",
    "s4": "sentiment",
    "s5": "natural language questions",
    "s6": "a domain (finance in the original)",
    "s7": "the general skill, always active",
}

SKILL_SETS: Mapping[str, tuple[str, ...]] = {
    INFERENCE: ("s1", "s3", "s7"),
    SENTIMENT: ("s1", "s4", "s7"),
    SIMILARITY: ("s1", "s3", "s7"),
    ANSWERING: ("s1", "s3", "s5", "s7"),
}
"""Task category to the skills that its tasks activate."""

OTHER_SKILLS = ("s1", "s7")
"""The skills of a task of any other category."""


def find_skills(task: Task) -> tuple[str, ...]:
    """Return the skills that a task activates, by its category; at least two."""
    return SKILL_SETS.get(task.category, OTHER_SKILLS)
