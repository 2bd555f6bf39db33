"""A server answers as `hmnet predict` does, batches what arrives together, and always answers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from places import ROOT
from tiny_study import write_study

from hmnet.commands.trained_model import TrainedModel, load_trained
from hmnet.errors import InputError
from hmnet.folder.outputs import open_output
from hmnet.jobs.prepared import prepare_study
from hmnet.runs.job import Machine
from hmnet.serving import server
from hmnet.serving.batching import Batcher, BusyServerError, Predictions, Texts
from hmnet.serving.request_limits import Limits
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.study import load_study
from hmnet.training.execution import execute

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
pytest.importorskip("prometheus_client", reason="the extra `serve` is not installed")
pytest.importorskip("httpx", reason="there is no httpx installed")

PAIR = {"left": "bala kone", "right": "misi tuvu"}
SMALL = Limits(window_s=0.02, max_rows=8, max_text_chars=200, max_body_bytes=5000)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    folder = tmp_path_factory.mktemp("served")
    output = open_output(folder / "out")
    prepared = prepare_study(load_study(write_study(folder)), output.data)
    names = ["tone", "match", "grade"]
    job = prepared.make_job(names, HierarchySpec(1, 1, 1), [names], 0, keep_model=True)
    execute(job, output.runs, Machine())
    return load_trained("3tasks", output.folder)


@pytest.fixture
def client(model: TrainedModel) -> Iterator[Any]:
    from fastapi.testclient import TestClient

    from hmnet.serving.end_points import make_application

    with TestClient(make_application(model, SMALL), raise_server_exceptions=False) as found:
        yield found


def test_answers_are_those_of_prediction(client: Any, model: TrainedModel) -> None:
    told = client.post("/predict", json={"rows": [PAIR, PAIR]}).json()
    assert told["run"] == model.spec.run_id
    assert [sorted(row) for row in told["predictions"]] == [["grade", "match"]] * 2
    (expected,) = model.predict([tuple(PAIR.values())], "grade")
    assert told["predictions"][1]["grade"]["value"] == pytest.approx(expected["value"], abs=1e-5)
    one = client.post("/predict", json={"rows": [{"text": "ko la"}], "tasks": ["tone"]}).json()
    assert set(one["predictions"][0]["tone"]["probabilities"]) == {"low", "high"}
    general = {"rows": [{"text": "bala kone", "text_pair": "misi tuvu"}]}
    every = client.post("/predict", json=general).json()["predictions"][0]
    assert set(every) == {"grade", "match", "tone"}


def test_it_says_what_it_is_and_how_it_is(client: Any, model: TrainedModel) -> None:
    assert client.get("/health").json()["status"] == "ok"
    tasks = client.get("/tasks").json()
    assert tasks["max_length"] == 32
    assert tasks["tasks"]["match"]["columns"] == ["left", "right"]
    client.post("/predict", json={"rows": [PAIR]})
    counts = client.get("/metrics").text
    assert 'hmnet_requests_total{path="/predict",status="200"} 1.0' in counts
    assert "hmnet_batch_rows_count 1.0" in counts


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"rows": []}, 422, "Parameter `rows`"),
        ({}, 422, "Parameter `rows`"),
        ({"rows": [{"left": 1}]}, 422, "Parameter `rows.0.left`"),
        ({"rows": [PAIR], "task": "grade"}, 422, "Parameter `task`"),
        ({"rows": [PAIR], "tasks": ["grad"]}, 422, "Did you mean `grade`"),
        ({"rows": [PAIR], "tasks": ["tone"]}, 422, "the columns of task `tone`, text"),
        ({"rows": [PAIR, {"left": "ko"}]}, 422, "`rows.1` should have the columns of the first"),
        ({"rows": [PAIR] * 9}, 422, "at most 8 rows. Found 9"),
        ({"rows": [{**PAIR, "left": "x" * 201}]}, 422, "at most 200 characters. Found 201"),
        ({"rows": [{"left": "x" * 6000}]}, 413, "at most 5,000 bytes"),
    ],
)
def test_what_cannot_be_answered_is_said(
    client: Any, body: dict[str, Any], status: int, message: str
) -> None:
    told = client.post("/predict", json=body)
    assert told.status_code == status
    assert any(message in sentence for sentence in told.json()["errors"]), told.json()


def test_other_requests_are_refused_in_sentences(client: Any) -> None:
    assert client.get("/nothing").status_code == 404
    assert "/predict" in client.get("/nothing").json()["errors"][0]
    assert client.get("/predict").status_code == 405
    broken = client.post("/predict", content=b"{", headers={"content-type": "application/json"})
    assert broken.status_code == 422
    assert "should be a JSON object" in broken.json()["errors"][0]

    def pieces() -> Iterator[bytes]:
        yield from (b"[" * 3000 for _ in range(3))

    chunked = client.post("/predict", content=pieces())
    assert chunked.status_code == 413


def test_requests_that_arrive_together_run_together(client: Any) -> None:
    with ThreadPoolExecutor(6) as threads:
        asked = [threads.submit(client.post, "/predict", json={"rows": [PAIR]}) for _ in range(6)]
        assert {each.result().status_code for each in asked} == {200}
    counts = client.get("/metrics").text
    batches = next(line for line in counts.splitlines() if line.startswith("hmnet_batch_rows_co"))
    assert float(batches.split()[1]) < 6


# The queue alone, with made predictions


def predict_lengths(texts: Sequence[Texts], tasks: Sequence[str]) -> Predictions:
    return {task: [{"value": float(len(row[0]))} for row in texts] for task in tasks}


async def ask(batcher: Batcher, count: int) -> list[object]:
    """Submit rows of 1, 2, ... characters at the same time."""
    asked = (batcher.submit([("x" * (i + 1),)], ["t"]) for i in range(count))
    return list(await asyncio.gather(*asked, return_exceptions=True))


def test_each_request_gets_its_own_rows_and_batches_are_bounded() -> None:
    sizes: list[int] = []

    async def run() -> list[object]:
        batcher = Batcher(predict_lengths, Limits(batch_rows=3), sizes.append)
        batcher.start()
        found = await ask(batcher, 8)
        await batcher.stop()
        return found

    assert asyncio.run(run()) == [{"t": [{"value": float(i + 1)}]} for i in range(8)]
    assert sizes == [3, 3, 2]


def test_an_error_of_a_batch_reaches_its_requests_and_the_next_ones_run() -> None:
    def fail_on_two(texts: Sequence[Texts], tasks: Sequence[str]) -> Predictions:
        if any(len(row[0]) == 2 for row in texts):
            raise ValueError("two")
        return predict_lengths(texts, tasks)

    async def run() -> list[object]:
        batcher = Batcher(fail_on_two, Limits(batch_rows=1))
        batcher.start()
        found = await ask(batcher, 3)
        await batcher.stop()
        return found

    first, second, third = asyncio.run(run())
    assert first == {"t": [{"value": 1.0}]}
    assert third == {"t": [{"value": 3.0}]}
    assert isinstance(second, ValueError)


def test_nobody_waits_for_ever() -> None:
    """Beyond the limit, beyond the time, and at the end there is an error at once."""
    release = threading.Event()

    def wait(texts: Sequence[Texts], tasks: Sequence[str]) -> Predictions:
        release.wait(10)
        return predict_lengths(texts, tasks)

    async def run(limits: Limits, count: int, *, stops: bool) -> list[object]:
        batcher = Batcher(wait, limits)
        batcher.start()
        asked = asyncio.create_task(ask(batcher, count))
        await asyncio.sleep(0.1)
        if stops:
            await batcher.stop()
        found = await asked
        await batcher.stop()
        with pytest.raises(BusyServerError, match="ending"):
            await batcher.submit([("x",)], ["t"])
        return found

    began = time.perf_counter()
    ended = asyncio.run(run(Limits(batch_rows=1), 2, stops=True))
    late = asyncio.run(run(Limits(answer_within_s=0.3), 1, stops=False))
    full = asyncio.run(run(Limits(max_waiting_rows=2, answer_within_s=0.3), 3, stops=False))
    release.set()
    assert time.perf_counter() - began < 8
    assert all(isinstance(each, BusyServerError) for each in (*ended, *late, *full))
    assert "at most 0.3 s" in str(late[0])
    assert "at most 2 rows waiting" in str(full[2])


def test_a_port_that_is_taken_is_said() -> None:
    with server.open_socket("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(InputError, match=f"should be free on `127.0.0.1`. Found `{port}`"):
            server.open_socket("127.0.0.1", port)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'task-relevance\[serve\]'"):
        server.require_serving()


@pytest.mark.system
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_is_killed_or_ended_leaves_nobody_waiting(
    model: TrainedModel, stop: signal.Signals
) -> None:
    import httpx

    words = ["-m", "hmnet", "serve", "3tasks", "--out", str(model.folder.parent.parent)]
    process = subprocess.Popen(
        [sys.executable, *words, "--port", "0", "--window-ms", "1000"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = next(line for line in process.stderr if line.startswith("serving"))
    address = f"{said.split()[3]}/predict"
    with ThreadPoolExecutor(4) as threads:
        asked = [
            threads.submit(httpx.post, address, json={"rows": [PAIR]}, timeout=30) for _ in range(4)
        ]
        time.sleep(0.4)
        os.kill(process.pid, stop)
        for each in asked:
            error = each.exception(timeout=25)
            if error is None:
                assert each.result().status_code in (200, 503)
            else:
                assert isinstance(error, httpx.TransportError)
                assert not isinstance(error, httpx.TimeoutException)
    process.wait(timeout=20)
    process.stderr.close()
