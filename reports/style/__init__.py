"""How things look: colours, formats of numbers, pieces of HTML.

>>> from reports.style import count_noun, format_percent, sentence
>>> format_percent(0.05, unit=""), format_percent(-0.032, 2, unit=""), format_percent(float("nan"))
('5.0', '−3.20', '–')
>>> count_noun(3, "run")
'3 runs'
>>> sentence("<b>{}</b> gains.", "a<b")  # what is put in is escaped
Markup('<b>a&lt;b</b> gains.')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.style.formatting import (
        MISSING,
        PERCENT,
        clean,
        count_noun,
        format_duration,
        format_interval,
        format_number,
        format_parameters,
        format_percent,
        format_probability,
        format_score,
        join_words,
        shorten_name,
    )
    from reports.style.markup import bold, join, join_tasks, sentence
    from reports.style.palette import (
        SEQUENTIAL_STEPS,
        SIDE_STEPS,
        bin_gain,
        bin_share,
        color,
        contrast,
        diverging,
        diverging_map,
        sequential,
        sequential_map,
        text_on,
        variables,
        write_cell_rules,
        write_variables,
    )
else:
    from hmnet.lazy import import_on_demand

    __getattr__, __dir__ = import_on_demand(__name__)

__all__ = [
    "MISSING",
    "PERCENT",
    "SEQUENTIAL_STEPS",
    "SIDE_STEPS",
    "bin_gain",
    "bin_share",
    "bold",
    "clean",
    "color",
    "contrast",
    "count_noun",
    "diverging",
    "diverging_map",
    "format_duration",
    "format_interval",
    "format_number",
    "format_parameters",
    "format_percent",
    "format_probability",
    "format_score",
    "join",
    "join_tasks",
    "join_words",
    "sentence",
    "sequential",
    "sequential_map",
    "shorten_name",
    "text_on",
    "variables",
    "write_cell_rules",
    "write_variables",
]
