"""The commands of `relevance`, a file for each group of them, joined by `relevance/cli.py`.

A command parses its options, calls one function of `relevance.commands`, and prints its lines.
What writes or shows a report stands in `relevance/cli.py`, which alone may import `reports`.

>>> from relevance.console import matrix_commands
>>> [command.callback.__name__ for command in matrix_commands.app.registered_commands]
['cluster', 'advise', 'compare', 'agreement', 'import_', 'export_scores']
"""

from __future__ import annotations

__all__: list[str] = []
