"""What a dry run says: what is to do, then a time with its range, and whether others are busy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from made_runs import SPEC

from hmnet.jobs import cost, estimate
from hmnet.jobs.cost import _time_each
from hmnet.jobs.estimate import list_jobs
from hmnet.jobs.prepared import PreparedStudy
from hmnet.jobs.workers import Workers
from hmnet.runs.job import Job
from hmnet.runs.store import RunStore

PREPARED = cast(PreparedStudy, SimpleNamespace(data={}))
STORE = cast(RunStore, SimpleNamespace(is_done=lambda spec, with_model: False))


@pytest.mark.parametrize(("load", "is_busy"), [(0.1, False), (0.9, True)])
def test_a_range_is_given_and_a_busy_machine_is_named(
    monkeypatch: pytest.MonkeyPatch, load: float, is_busy: bool
) -> None:
    monkeypatch.setattr(estimate, "count_tokens", lambda job, data: {"rte": (2_000_000, 0)})
    monkeypatch.setattr(estimate, "estimate_each", lambda *a: [80.0, 120.0])
    monkeypatch.setattr(estimate, "find_load", lambda: load)
    monkeypatch.setattr(estimate, "count_cores", lambda: 4)
    said = list_jobs(PREPARED, [Job(SPEC, {})], STORE, Workers.choose(workers=2))
    assert next(said) == "0 already done, 1 to do"  # before anything is timed
    assert next(said) == "2.0 M training tokens"
    *rest, time = said
    # the mean of both workers; the faster less a quarter, the slower and a quarter
    assert time == "about 1 min 40 s on 2 workers (cpu); 1 min 0 s to 2 min 30 s"
    assert bool(rest) == is_busy
    assert all("3.6 processes on 4 cores" in line for line in rest)


def test_long_steps_are_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, taken = [0.0], []

    def step(trainer: object, position: int) -> float:
        clock[0] += 60.0
        taken.append(position)
        return 0.5

    monkeypatch.setattr(cost, "_time_step", step)
    monkeypatch.setattr(cost.time, "perf_counter", lambda: clock[0])
    assert _time_each(SimpleNamespace(steps=range(100))) == 0.5  # type: ignore[arg-type]
    assert taken == [0]
