"""Runs that should be alike and are not: of several library versions, or of several studies."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping

from hmnet.runs.result import RunResult
from hmnet.runs.spec import RunSpec
from hmnet.storage.digests import canonical_json
from hmnet.storage.documents import to_plain


def describe_versions(results: Iterable[RunResult]) -> Iterator[str]:
    """Yield a sentence for each library of which runs that are averaged used several versions."""
    found = _gather(item for result in results for item in result.versions.items())
    for name, versions in found.items():
        if len(versions) > 1:
            yield (
                f"The runs are of {len(versions)} versions of {name}, {_list(versions)}, and are "
                "averaged all the same; what is between them may be the version."
            )


def describe_studies(specs: Iterable[RunSpec]) -> Iterator[str]:
    """Yield a sentence for each thing in which the runs of a folder are of several studies."""
    specs = list(specs)
    settings = _gather(item for spec in specs for item in to_plain(spec.training).items())
    encoders = _gather(("encoder", spec.model.fingerprint[:12]) for spec in specs)
    engines = _gather(("engine version", spec.engine_version) for spec in specs)
    rows = _gather((f"rows of {k}", v[:12]) for spec in specs for k, v in spec.data.items())
    for name, values in {**encoders, **engines, **rows, **settings}.items():
        if len(values) > 1:
            yield f"The runs are of several studies: {name.replace('_', ' ')} {_list(values)}."


def _gather(items: Iterable[tuple[str, object]]) -> Mapping[str, list[str]]:
    """Return name to its values as text, each once."""
    found: dict[str, dict[Hashable, None]] = {}
    for name, value in items:
        text = value if isinstance(value, str) else canonical_json(value)
        found.setdefault(name, {})[text] = None
    return {name: sorted(map(str, values)) for name, values in found.items()}


def _list(values: list[str]) -> str:
    return " and ".join(values) if len(values) < 4 else f"{', '.join(values[:3])}, ..."
