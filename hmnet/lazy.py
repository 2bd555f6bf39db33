"""Names that a package offers and imports only when they are first asked for (PEP 562).

A package lists what it offers as imports that a type checker reads, and `__all__`:

    if TYPE_CHECKING:
        from hmnet.models.paths import HMNet
    else:
        __getattr__, __dir__ = import_on_demand(__name__)

    __all__ = ["HMNet"]

So `import hmnet` costs nothing, and torch is imported where a name needs it.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any


def import_on_demand(package: str) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return a package's `__getattr__` and `__dir__`, which offer what it imports for checkers.

    A name keeps its value once it has been asked for; any other name raises an `AttributeError`.
    """
    find_homes = functools.cache(lambda: _read_homes(inspect.getsource(sys.modules[package])))

    def get_name(name: str) -> object:
        if name.startswith("__") or name not in find_homes():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(importlib.import_module(find_homes()[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *find_homes()})

    return get_name, list_names


def call_above(home: str, name: str) -> classmethod[object, ..., Any]:
    """Return a class method that calls a function of a room above, which it names.

    It is a short way for notebooks: a class of a low room offers what is built from it higher up.
    Nothing below rests on it, and nothing is imported before it is called.

        from_folder = call_above("hmnet.starting.folder_study", "study_of_folder")
    """

    def call(cls: type, *arguments: object, **options: object) -> object:
        return getattr(importlib.import_module(home), name)(*arguments, **options)

    call.__name__ = name
    call.__doc__ = f"Call `{home}.{name}`, which says what it takes and returns."
    return classmethod(call)


def _read_homes(source: str) -> Mapping[str, str]:
    """Return the module of each name that is imported under `if TYPE_CHECKING`."""
    return {
        alias.name: node.module
        for block in ast.parse(source).body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
