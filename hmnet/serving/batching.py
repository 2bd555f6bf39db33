"""Requests that arrive together run together, in one thread: a model's layers are shared in it.

A request waits for others for as long as the window, or until a batch is full; meanwhile the batch
before it runs. Each request has an answer: its predictions, or an error. None waits for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeAlias

from hmnet.commands.predict import Prediction
from hmnet.errors import RelevanceError
from hmnet.serving.request_limits import Limits

Texts: TypeAlias = tuple[str, ...]
Predictions: TypeAlias = Mapping[str, Sequence[Prediction]]
Predict: TypeAlias = Callable[[Sequence[Texts], Sequence[str]], Predictions]
"""From rows of texts and tasks to each task's predictions."""


class BusyServerError(RelevanceError):
    """A server has too much to do, takes too long, or is ending."""


@dataclass(eq=False)
class _Waiting:
    texts: Sequence[Texts]
    tasks: tuple[str, ...]
    answer: asyncio.Future[Predictions] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Batcher:
    """Collects requests and runs them in batches, between `start` and `stop`.

    Args:
        predict: called in one thread of its own, never twice at a time.
        watch: called with the number of rows of each batch before it runs.
    """

    def __init__(
        self, predict: Predict, limits: Limits, watch: Callable[[int], None] = lambda rows: None
    ) -> None:
        self._predict = predict
        self._limits = limits
        self._watch = watch
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "predict")
        self._loop: asyncio.Task[None] | None = None
        self._running: list[_Waiting] = []

    @property
    def waiting_rows(self) -> int:
        """Rows of requests that wait."""
        return sum(len(each.texts) for each in self._waiting)

    def start(self) -> None:
        """Begin to run what is submitted."""
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; whatever has no answer yet gets an error."""
        if self._loop is not None:
            self._loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop
        for each in (*self._running, *self._waiting):
            _fail(each, BusyServerError("The server is ending: ask again."))
        self._waiting.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def submit(self, texts: Sequence[Texts], tasks: Sequence[str]) -> Predictions:
        """Return predictions of tasks that read the same texts.

        Raises:
            BusyServerError: if too many rows wait already, or the answer takes too long.
        """
        limits = self._limits
        if self._loop is None or self._loop.done():
            raise BusyServerError("The server is ending: ask again.")
        if self.waiting_rows + len(texts) > limits.max_waiting_rows:
            raise BusyServerError(
                f"The server should have at most {limits.max_waiting_rows:,} rows waiting. Found "
                f"{self.waiting_rows:,}: ask again later."
            )
        request = _Waiting(texts, tuple(tasks))
        self._waiting.append(request)
        self._arrived.set()
        try:
            return await asyncio.wait_for(request.answer, limits.answer_within_s)
        except TimeoutError:
            raise BusyServerError(
                f"The answer should take at most {limits.answer_within_s:g} s. It took longer: ask "
                "for fewer rows, or later."
            ) from None
        finally:
            if request in self._waiting:  # its client is gone, or has waited too long
                self._waiting.remove(request)

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            if self.waiting_rows < self._limits.batch_rows:
                await asyncio.sleep(self._limits.window_s)
            self._running = self._take_batch()
            if not self._waiting:
                self._arrived.clear()
            for tasks, requests in _group(self._running).items():
                await self._run_batch(tasks, requests)
            self._running = []

    def _take_batch(self) -> list[_Waiting]:
        """Take requests in the order of their arrival: one at least, others while there is room."""
        taken: list[_Waiting] = []
        rows = 0
        for each in self._waiting:
            rows += len(each.texts)
            if taken and rows > self._limits.batch_rows:
                break
            taken.append(each)
        del self._waiting[: len(taken)]
        return taken

    async def _run_batch(self, tasks: Sequence[str], requests: Sequence[_Waiting]) -> None:
        texts = [row for each in requests for row in each.texts]
        self._watch(len(texts))
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, self._predict, texts, tasks)
        except Exception as error:  # noqa: BLE001 (each request gets it; the server goes on)
            for each in requests:
                _fail(each, error)
            return
        begin = 0
        for each in requests:
            part = slice(begin, begin := begin + len(each.texts))
            if not each.answer.done():
                each.answer.set_result({task: rows[part] for task, rows in found.items()})


def _group(requests: Sequence[_Waiting]) -> dict[tuple[str, ...], list[_Waiting]]:
    groups: dict[tuple[str, ...], list[_Waiting]] = defaultdict(list)
    for each in requests:
        groups[each.tasks].append(each)
    return groups


def _fail(request: _Waiting, error: Exception) -> None:
    if not request.answer.done():
        request.answer.set_exception(error)
