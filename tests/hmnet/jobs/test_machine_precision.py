"""Precision `auto` comes to what the machine has instructions for, and is recorded as that."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

import hmnet.jobs.dask
from hmnet.jobs import machine_precision
from hmnet.jobs.machine_precision import Bf16Support, find_bf16, judge_cpu, settle_precision
from hmnet.runs.spec import RunSpec
from hmnet.storage.digests import digest_file
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.settings import ModelRef, TrainingSettings
from hmnet.study.study import STUDY_FILE, load_study, resolve_study
from hmnet.study.study_origin import read_origin

TEXT = """schema = "study/1"
tasks = ["mine"]
data = "rows"
model = "encoder"
[training]
epochs = 2
[task.mine]
text = ["a"]
labels = ["x", "y"]
"""
OLD = {"avx2": True, "avx512_bf16": False, "architecture": "x86_64"}
NEW = {**OLD, "avx512_f": True, "avx512_bf16": True, "amx_bf16": True}
OUT = Path("out")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("rows", "encoder"):
        (tmp_path / name).mkdir()
    (tmp_path / STUDY_FILE).write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def be(monkeypatch: pytest.MonkeyPatch, capabilities: Mapping[str, object]) -> None:
    """Have this machine's CPU be another one."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)


def train_somehow(**flags: str) -> str:
    """Return the precision that a command that trains uses."""
    study = resolve_study(OUT, None, {f"training.{key}": value for key, value in flags.items()})
    return settle_precision(OUT, study, ["cpu", "cpu"]).training.precision


def edit(path: Path, old: str, new: str) -> None:
    content = path.read_text()
    assert content.count(old) == 1
    path.write_text(content.replace(old, new))


@pytest.mark.parametrize(
    ("capabilities", "support"),
    [
        (NEW, Bf16Support(True, "the CPU has instructions for bf16 (amx_bf16, avx512_bf16)")),
        (
            {"neon": True, "bf16": True},
            Bf16Support(True, "the CPU has instructions for bf16 (bf16)"),
        ),
        (
            OLD,
            Bf16Support(False, "the CPU has no instructions for bf16", "ten to fifty times slower"),
        ),
        (
            {**OLD, "avx512_f": True},
            Bf16Support(False, "the CPU has no instructions for bf16", "five to ten times slower"),
        ),
    ],
)
def test_a_cpu_is_judged_by_its_instructions(
    capabilities: Mapping[str, object], support: Bf16Support
) -> None:
    assert judge_cpu(capabilities) == support


@pytest.mark.parametrize(
    ("limit", "is_native"),
    [("AVX2", False), ("avx512_core", False), ("AVX512_CORE_AMX", True), ("default", True)],
)
def test_a_limit_of_the_products_counts(
    monkeypatch: pytest.MonkeyPatch, limit: str, is_native: bool
) -> None:
    be(monkeypatch, NEW)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    found = find_bf16("cpu")
    assert found.is_native is is_native
    assert (f"ONEDNN_MAX_CPU_ISA={limit}" in found.reason) is not is_native


@pytest.mark.parametrize(("capability", "is_native"), [((7, 5), False), ((8, 0), True)])
def test_a_gpu_is_judged_by_its_compute_capability(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], is_native: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert find_bf16("cuda:0").is_native is is_native


def test_the_worker_with_the_least_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [judge_cpu(NEW), judge_cpu(OLD)]
    monkeypatch.setattr(hmnet.jobs.dask, "ask_workers", lambda address, question: found)
    study = resolve_study(OUT)
    settled = settle_precision(OUT, study, ["cpu", "cpu"], "tcp://here:1")
    assert settled.training.precision == "fp32"


@pytest.mark.parametrize(("capabilities", "expected"), [(OLD, "fp32"), (NEW, "bf16")])
def test_auto_is_recorded_as_what_it_came_to_and_stays_that_on_another_machine(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capabilities: Mapping[str, object],
    expected: str,
) -> None:
    be(monkeypatch, capabilities)
    assert train_somehow() == expected
    assert f'precision = "{expected}"' in (OUT / STUDY_FILE).read_text()
    (line,) = caplog.messages
    assert line.startswith(f"note: precision `auto` is {expected} in this study: the CPU has ")
    be(monkeypatch, NEW if capabilities is OLD else OLD)
    assert train_somehow() == train_somehow(precision="auto") == expected
    assert resolve_study(OUT, Path(STUDY_FILE)).training.precision == expected


def test_a_command_that_does_not_train_leaves_auto_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", None)  # raises where it is called
    assert resolve_study(OUT).training.precision == "auto"
    assert load_study(OUT / STUDY_FILE).training.precision == "auto"
    be(monkeypatch, NEW)
    assert train_somehow() == "bf16"
    origin = read_origin(OUT)
    assert origin is not None
    assert origin.copy == digest_file(OUT / STUDY_FILE)  # is not taken for an edit by hand


def test_an_edit_of_the_study_file_leaves_what_auto_came_to(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    be(monkeypatch, NEW)
    train_somehow()
    be(monkeypatch, OLD)
    caplog.clear()
    edit(Path(STUDY_FILE), "epochs = 2", "epochs = 5")
    study = resolve_study(OUT)
    assert (study.training.epochs, study.training.precision) == (5, "bf16")
    assert "`training.epochs` (2 to 5)" in caplog.text
    assert "precision" not in caplog.text
    edit(Path(STUDY_FILE), "epochs = 5", 'epochs = 5\nprecision = "fp32"')
    assert train_somehow() == "fp32"


@pytest.mark.parametrize("written", ['precision = "auto"  # mine', "precision = 'auto'", ""])
def test_a_recorded_study_may_be_set_to_auto_by_hand(
    monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    be(monkeypatch, NEW)
    train_somehow(precision="fp32")
    edit(OUT / STUDY_FILE, 'precision = "fp32"', written)
    assert train_somehow() == "bf16"
    assert load_study(OUT / STUDY_FILE).training.precision == "bf16"
    assert ("# mine" in (OUT / STUDY_FILE).read_text()) == ("# mine" in written)


def test_a_study_recorded_by_an_older_version_keeps_its_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It recorded fp32 where the study file says nothing of a precision."""
    resolve_study(OUT, None, {"training.precision": "fp32"})
    be(monkeypatch, NEW)
    assert train_somehow() == train_somehow(precision="auto") == "fp32"


def test_an_explicit_bf16_stays_and_is_warned_of_where_it_is_slow(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    be(monkeypatch, NEW)
    assert train_somehow(precision="bf16") == "bf16"
    assert not caplog.messages
    be(monkeypatch, OLD)
    assert train_somehow(precision="bf16") == "bf16"
    assert caplog.messages == [
        "note: training in bf16 although the CPU has no instructions for bf16: its matrix products "
        "are ten to fifty times slower than those of fp32. `--precision fp32` is the faster one "
        "here; `--dry-run` times either"
    ]


def test_an_explicit_fp32_asks_no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_precision, "find_bf16", None)  # raises where it is called
    assert train_somehow(precision="fp32") == "fp32"


def test_no_run_is_named_by_auto() -> None:
    (task,) = load_study(Path(STUDY_FILE)).tasks.values()
    whole = HierarchySpec(0, 0, 3)
    model = ModelRef("encoder", None, "f")
    settings = TrainingSettings()
    spec = RunSpec((task,), {"mine": "d"}, model, whole, (("mine",),), settings, 0)
    with pytest.raises(ValueError, match=r"should be fp32 or bf16 in a run\. Found `auto`"):
        dataclasses.replace(spec, training=dataclasses.replace(settings, precision="auto"))
