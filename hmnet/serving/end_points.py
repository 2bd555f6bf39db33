"""The end points of a server, their limits and errors.

    POST /predict   {"rows": [{"premise": "...", "hypothesis": "..."}], "tasks": ["rte"]}
    GET /tasks      each task's columns and labels
    GET /health     200 once the model is loaded
    GET /metrics    counts and times, as Prometheus reads them

A request that cannot be answered gets {"errors": [...]} with one sentence for each problem.
"""

# No `from __future__ import annotations`: FastAPI reads the annotations of functions in a function.
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from hmnet.commands.predict import Prediction, match_columns
from hmnet.commands.trained_model import TrainedModel
from hmnet.errors import InputError, RelevanceError, raise_problems, suggest
from hmnet.serving.batching import Batcher, BusyServerError
from hmnet.serving.measurements import Measurements
from hmnet.serving.request_limits import Limits
from hmnet.study.tasks import Task

if TYPE_CHECKING:
    from fastapi import FastAPI

TOO_LARGE, UNREADABLE, BUSY = 413, 422, 503


class PredictRequest(BaseModel):
    """What `POST /predict` takes.

    Attributes:
        rows: a mapping of columns to texts each; all rows have the same columns, a task's own, or
            `text` and `text_pair`.
        tasks: whose predictions are asked for; None for every task that reads these columns.
    """

    model_config = ConfigDict(extra="forbid")
    rows: list[dict[str, str]] = Field(min_length=1)
    tasks: list[str] | None = Field(default=None, min_length=1)


class PredictResponse(BaseModel):
    """What it gives.

    Attributes:
        run: id of the run whose model answers.
        predictions: for each row, task to `label` and `probabilities`, or `value`.
    """

    run: str
    predictions: list[dict[str, dict[str, Any]]]


def make_application(model: TrainedModel, limits: Limits) -> "FastAPI":
    """Return the ASGI application that answers for a model; it sends nothing anywhere else."""
    import fastapi

    measured = Measurements(model.spec.run_id)
    batcher = Batcher(model.predict_together, limits, measured.watch_batch)

    @asynccontextmanager
    async def live(app: fastapi.FastAPI) -> AsyncIterator[None]:
        batcher.start()
        yield
        await batcher.stop()

    app = fastapi.FastAPI(title="hmnet", lifespan=live, docs_url=None, redoc_url=None)
    _answer_errors(app)
    _add_predict(app, model, batcher, limits)
    _add_reports(app, model, batcher, measured)
    app.add_middleware(BodyLimit, most=limits.max_body_bytes)
    return app


def _answer_errors(app: "FastAPI") -> None:
    """Have every refusal answered with its sentences."""
    import fastapi
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse, Response

    def refuse(code: int, problems: Sequence[str]) -> Response:
        headers = {"Retry-After": "1"} if code == BUSY else None
        return JSONResponse({"errors": list(problems)}, code, headers)

    @app.exception_handler(RequestValidationError)
    async def refuse_form(request: fastapi.Request, error: RequestValidationError) -> Response:
        return refuse(UNREADABLE, list(_describe_form(error.errors())))

    @app.exception_handler(RelevanceError)
    async def refuse_content(request: fastapi.Request, error: RelevanceError) -> Response:
        return refuse(BUSY if isinstance(error, BusyServerError) else UNREADABLE, error.problems)

    async def refuse_request(request: fastapi.Request, error: Exception) -> Response:
        said = _REFUSALS.get(getattr(error, "status_code", 0), str(getattr(error, "detail", "")))
        return refuse(getattr(error, "status_code", 500), [said])

    for code in (400, 404, 405):
        app.add_exception_handler(code, refuse_request)


_REFUSALS = {
    404: "The path should be /predict, /tasks, /health or /metrics. Found another one.",
    405: "/predict should be asked with POST, the others with GET. Found another method.",
}


def _add_predict(app: "FastAPI", model: TrainedModel, batcher: Batcher, limits: Limits) -> None:
    @app.post("/predict")
    async def predict(request: PredictRequest) -> PredictResponse:
        check_request_rows(request.rows, limits)
        wanted = choose_asked_tasks(model, request.tasks, request.rows[0])
        found: dict[str, Sequence[Prediction]] = {}
        for columns, tasks in wanted.items():
            texts = [tuple(row[column] for column in columns) for row in request.rows]
            found |= await batcher.submit(texts, [task.name for task in tasks])
        rows = zip(*found.values(), strict=True)
        told = [dict(zip(found, map(dict, row), strict=True)) for row in rows]
        return PredictResponse(run=model.spec.run_id, predictions=told)


def _add_reports(
    app: "FastAPI", model: TrainedModel, batcher: Batcher, measured: Measurements
) -> None:
    """Add the end points that say how the server is, and count all requests."""
    import fastapi
    from fastapi.responses import Response

    @app.middleware("http")
    async def measure(
        request: fastapi.Request, go_on: Callable[[fastapi.Request], Awaitable[Response]]
    ) -> Response:
        began = time.perf_counter()
        response = await go_on(request)
        took = time.perf_counter() - began
        measured.watch_request(request.url.path, response.status_code, took)
        return response

    @app.get("/tasks")
    async def tell_tasks() -> dict[str, Any]:
        tasks = {task.name: _describe_task(task) for task in model.spec.tasks}
        return {"run": model.spec.run_id, "max_length": model.max_length, "tasks": tasks}

    @app.get("/health")
    async def tell_health() -> dict[str, Any]:
        return {"status": "ok", "run": model.spec.run_id, "waiting_rows": batcher.waiting_rows}

    @app.get("/metrics")
    async def tell_metrics() -> Response:
        return Response(measured.write(batcher.waiting_rows), media_type=measured.media_type)


Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class BodyLimit:
    """Middleware that refuses a body of too many bytes, before or while it is read."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with 413."""
        told = dict(scope.get("headers", [])).get(b"content-length", b"0")
        if told.isdigit() and int(told) > self._most:
            await self._refuse(send)
            return
        read, is_answered = 0, False

        async def receive_within() -> dict[str, Any]:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:  # what was read so far is no document
                return {"type": "http.request", "body": b"", "more_body": False}
            return message

        async def send_or_refuse(message: dict[str, Any]) -> None:
            nonlocal is_answered
            if read <= self._most:
                await send(message)
            elif not is_answered:
                is_answered = True
                await self._refuse(send)

        await self._app(scope, receive_within, send_or_refuse)

    def _describe(self) -> str:
        return f"The body should have at most {self._most:,} bytes. Found more: send fewer rows."

    async def _refuse(self, send: Send) -> None:
        body = json.dumps({"errors": [self._describe()]}).encode()
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": TOO_LARGE, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def check_request_rows(rows: Sequence[Mapping[str, str]], limits: Limits) -> None:
    """Refuse rows that are too many, too long, or of different columns.

    Raises:
        InputError: with every problem of the first rows.
    """
    if len(rows) > limits.max_rows:
        raise InputError(
            f"Parameter `rows` should hold at most {limits.max_rows:,} rows. Found {len(rows):,}: "
            "send them in parts."
        )
    raise_problems([*_find_row_problems(rows, limits)][:20])


def _find_row_problems(rows: Sequence[Mapping[str, str]], limits: Limits) -> Iterator[str]:
    for number, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            yield (
                f"Parameter `rows.{number}` should have the columns of the first row, "
                f"{', '.join(rows[0]) or 'none'}. Found {', '.join(row) or 'none'}."
            )
        for column, text in row.items():
            if len(text) > limits.max_text_chars:
                yield (
                    f"Parameter `rows.{number}.{column}` should have at most "
                    f"{limits.max_text_chars:,} characters. Found {len(text):,}."
                )


def choose_asked_tasks(
    model: TrainedModel, names: Sequence[str] | None, row: Mapping[str, str]
) -> dict[tuple[str, ...], list[Task]]:
    """Return the columns that are read to the tasks that read them.

    Raises:
        InputError: for every unknown task, and for one whose columns are missing.
    """
    known = {task.name: task for task in model.spec.tasks}
    raise_problems(
        f"Parameter `tasks` should name tasks of the model. Found `{name}`."
        f"{suggest(name, tuple(known))}"
        for name in dict.fromkeys(names or ())
        if name not in known
    )
    asked = list(known.values()) if names is None else [known[n] for n in dict.fromkeys(names)]
    found, left_out = match_columns(asked, tuple(row))
    if left_out and (names is not None or not found):
        raise InputError(
            *(
                f"Parameter `rows` should have the columns of task `{name}`, "
                f"{', '.join(known[name].text)}. Found {', '.join(row) or 'none'}."
                for name in left_out
            )
        )
    return found


def _describe_task(task: Task) -> dict[str, Any]:
    return {"columns": list(task.text), "kind": task.kind, "labels": list(task.labels)}


def _describe_form(problems: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a sentence for each problem that pydantic or the JSON reader found."""
    for problem in problems:
        place = ".".join(str(part) for part in problem["loc"] if part != "body")
        if problem["type"] == "json_invalid":
            yield f"The body should be a JSON object. Found: {problem['ctx']['error']}."
        else:
            yield f"Parameter `{place or 'body'}` is not as it should be: {problem['msg']}."
