"""Watching a sweep: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from hmnet.errors import WriteError
from hmnet.jobs.progress_file import ProgressRecord, claim_record
from hmnet.jobs.schedule import Watcher
from hmnet.jobs.worker_process import Outcome

PLAIN_EVERY_S = 15.0
RECORD_EVERY_S = 1.0


class SweepProgress(Watcher):
    """Counts runs, tokens and cost of a sweep, and estimates the time that is left.

    Args:
        path: where the progress is recorded as well, for `relevance status`.
        stream: where lines go, standard error unless said otherwise; a live line is drawn only
            where it is a terminal.
        tell: returns what is to be said of a run that is done, by its id; empty for nothing.
    """

    def __init__(
        self,
        path: Path,
        stream: TextIO | None = None,
        tell: Callable[[str], str] = lambda run_id: "",
    ) -> None:
        self.path = path
        self.tell = tell
        self.console = Console(file=stream or sys.stderr, highlight=False)
        self.live: Progress | None = None
        self.total = self.cached = self.done = self.failed = self.tokens = 0
        self.cost = self.total_cost = 0.0
        self.began = self.said = self.recorded = time.monotonic()

    def start(self, total: int, cached: int, total_cost: float) -> None:
        """Begin: `total` runs, of which `cached` are done already."""
        self.total, self.cached, self.total_cost = total, cached, total_cost
        self.path = claim_record(self.path)
        self.began = self.said = time.monotonic()
        missing = total - cached
        self.console.print(f"{total} runs: {cached} already done, {missing} to do")
        self._record()
        if self.console.is_terminal and missing:
            columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            self.live = Progress(*columns, console=self.console, transient=True)
            self.live.start()
            self.live.add_task(self.line(), total=missing)

    def finish(self, outcome: Outcome, cost: float) -> None:
        """Count a run that ended."""
        self.cost += cost
        self.tokens += outcome.train_tokens
        if outcome.status == "done":
            self.done += 1
            if said := self.tell(outcome.run_id):
                self.console.print(said, markup=False)
        else:
            self.failed += 1
            self.console.print(f"failed: {outcome.run_id}: {outcome.error}", markup=False)
        if outcome.micro_batches > 1:
            self.console.print(
                f"{outcome.run_id}: {describe_micro_batches(outcome.micro_batches)}", markup=False
            )
        if time.monotonic() - self.recorded >= RECORD_EVERY_S:
            self._record()
        if self.live is not None:
            self.live.update(self.live.task_ids[0], advance=1, description=self.line())
        elif time.monotonic() - self.said >= PLAIN_EVERY_S:
            self.said = time.monotonic()
            self.console.print(self.line(), markup=False)

    def stop(self) -> None:
        """Remove the live line and say how the sweep ended."""
        self._record(is_over=self.cached + self.done + self.failed == self.total)
        if self.live is not None:
            self.live.stop()
        if self.total > self.cached:
            seconds = time.monotonic() - self.began
            self.console.print(f"{self.line()}, {format_seconds(seconds)} in all", markup=False)

    def line(self) -> str:
        """Return runs done and failed, tokens per second and the time left."""
        seconds = max(time.monotonic() - self.began, 1e-9)
        parts = [f"{self.cached + self.done} of {self.total} runs done"]
        parts += [f"{self.failed} failed"] if self.failed else []
        if self.cost > 0:
            parts.append(f"{self.tokens / seconds:,.0f} tokens/s")
        if (left := self._seconds_left()) is not None and left > 0:
            parts.append(f"about {format_seconds(left)} left")
        return ", ".join(parts)

    def _seconds_left(self) -> float | None:
        """Return how long the rest will take at the pace so far; None before a run has ended."""
        if self.cost <= 0:
            return None
        return (time.monotonic() - self.began) * max(self.total_cost / self.cost - 1, 0.0)

    def _record(self, *, is_over: bool = False) -> None:
        self.recorded = time.monotonic()
        record = ProgressRecord(
            total=self.total,
            cached=self.cached,
            done=self.done,
            failed=self.failed,
            tokens_per_s=self.tokens / max(self.recorded - self.began, 1e-9),
            seconds_left=self._seconds_left(),
            is_over=is_over,
        )
        with contextlib.suppress(WriteError):  # a record of progress must not stop it
            record.write(self.path)


def describe_micro_batches(count: int) -> str:
    """Say that batches were cut because the device ran out of memory."""
    return (
        f"ran out of memory; batches were computed in {count} parts, which changes no step's size"
    )


def format_seconds(seconds: float) -> str:
    """Return `42 s`, `3 min 20 s` or `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
