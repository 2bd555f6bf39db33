"""One server for all tasks beside one stock pipeline per task, both asked over loopback.

    python -m benchmarks serve

Several clients ask for every task's answer on their rows, a bounded number of times. Ours is `hmnet
serve`: one request, all tasks. The other side is one process that holds a stock text-classification
pipeline for each exported path, behind FastAPI too, which is asked for each task in turn. Both have
the same threads, and take turns.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import torch
import uvicorn
from fastapi import FastAPI
from transformers import pipeline

from benchmarks.entries import Entry
from benchmarks.rows import Material
from hmnet.commands.export import export_task
from hmnet.data.raw import load_split
from hmnet.folder.outputs import Output, open_output
from hmnet.jobs.prepared import prepare_study
from hmnet.runs.job import Machine
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import DataSettings, TrainingSettings
from hmnet.study.study import Study
from hmnet.training.execution import execute

NAMES = ("rte", "mrpc", "stsb", "mnli")
"""Tasks of two texts, so that one row can be asked of all."""
CLIENTS = 8
REQUESTS = 400
Ask = Callable[[httpx.Client, dict[str, str]], None]


def measure_serving(material: Material, repeats: int, share: float) -> list[Entry]:
    """Return requests per second, and the 99th percentile of the time to all tasks' answers."""
    output, run, folders, rows = _make_model(material, share)
    count = max(int(REQUESTS * share), 2 * CLIENTS)
    threads = str(torch.get_num_threads())
    ours = ["-m", "hmnet", "serve", run, "--out", str(output.folder), "--threads", threads]
    stock = ["-m", "benchmarks.serving", threads, *map(str, folders)]

    def ask_ours(client: httpx.Client, row: dict[str, str]) -> None:
        client.post("/predict", json={"rows": [row]}).raise_for_status()

    def ask_stock(client: httpx.Client, row: dict[str, str]) -> None:
        for number in range(len(folders)):
            client.post(f"/predict/{number}", json=row).raise_for_status()

    found: dict[str, list[tuple[float, float]]] = {"ours": [], "stock": []}
    for _ in range(repeats):
        found["ours"].append(_load(ours, ask_ours, rows, count))
        found["stock"].append(_load(stock, ask_stock, rows, count))
    rate, late = np.median(found["ours"], axis=0)
    stock_rate, stock_late = np.median(found["stock"], axis=0)
    what = (
        f"{len(folders)} tasks' answers to a row, {CLIENTS} clients, {count} rows, {threads} "
        f"threads, {material.words}; one server against a stock pipeline per task"
    )
    return [
        Entry("serve_rate", rate, stock_rate, rate / stock_rate, "rows/s", what),
        Entry("serve_p99", late, stock_late, stock_late / late, "ms", what),
    ]


def _make_model(
    material: Material, share: float
) -> tuple[Output, str, list[Path], list[dict[str, str]]]:
    """Train a few steps, which cost as many milliseconds to answer as any, and export each path."""
    tasks = {task.name: task for task in map(material.task, NAMES)}
    study = Study(
        tasks=tasks,
        model=str(material.encoder),
        data_folder=material.data,
        training=TrainingSettings(epochs=1, precision="fp32"),
        rows=DataSettings(max_length=128, max_train=64, max_dev=64),
    )
    output = open_output(material.folder / f"serve-{share:g}")
    prepared = prepare_study(study, output.data)
    layers = HierarchySpec.default(prepared.depth)
    job = prepared.make_job(list(tasks), layers, [list(tasks)], 0, keep_model=True)
    execute(job, output.runs, Machine(threads=torch.get_num_threads()))
    folders = [output.folder / "stock" / str(number) for number in range(len(tasks))]
    for name, folder in zip(tasks, folders, strict=True):
        if not folder.exists():
            export_task(output, job.spec.run_id, name, folder)
    first = next(iter(tasks.values()))
    texts = load_split(first, first.dev_splits[0], material.data).texts
    rows = [{"text": a, "text_pair": b} for a, b in zip(*texts, strict=True)]
    return output, job.spec.run_id, folders, rows


def _load(
    words: Sequence[str], ask: Ask, rows: Sequence[dict[str, str]], count: int
) -> tuple[float, float]:
    """Start a server, ask it from several clients; return rows a second, and p99 in ms."""
    with _serving(words) as address:

        def run(client_number: int) -> list[float]:
            took = []
            with httpx.Client(base_url=address, timeout=60) as client:
                for number in range(client_number, count, CLIENTS):
                    began = time.perf_counter()
                    ask(client, rows[number % len(rows)])
                    took.append(time.perf_counter() - began)
            return took

        run(count - 1)  # warm
        began = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as clients:
            times = [each for part in clients.map(run, range(CLIENTS)) for each in part]
        return count / (time.perf_counter() - began), float(np.percentile(times, 99)) * 1000


@contextmanager
def _serving(words: Sequence[str]) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    root = str(Path(__file__).resolve().parents[1])
    process = subprocess.Popen(
        [sys.executable, *words, "--port", str(port)],
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx.get(f"{address}/health", timeout=5).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def serve_stock(threads: int, folders: Sequence[str], port: int) -> None:
    """Serve a stock pipeline for each folder."""
    torch.set_num_threads(threads)
    pipelines = [pipeline("text-classification", folder, top_k=None) for folder in folders]
    app = FastAPI()

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/predict/{number}")
    def predict(number: int, row: dict[str, str]) -> list[dict[str, str | float]]:
        found: list[dict[str, str | float]] = pipelines[number](
            row, truncation=True, max_length=128
        )
        return found

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    given, _, port_text = sys.argv[1:-2], sys.argv[-2], sys.argv[-1]
    serve_stock(int(given[0]), given[1:], int(port_text))
