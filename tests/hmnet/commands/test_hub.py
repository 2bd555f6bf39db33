"""A whole model travels as one folder, and to the hub on request alone: a stand-in of it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from tiny_study import write_study

from hmnet import HMNet
from hmnet.cli import app
from hmnet.commands import export_whole
from hmnet.errors import InputError, SourceError
from hmnet.folder.outputs import Output, open_output
from hmnet.jobs.prepared import prepare_study
from hmnet.runs.job import Machine
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.study import load_study
from hmnet.training.execution import execute

NAMES = ["tone", "match", "grade"]
PAIRS = [("bala kone", "misi tuvu"), ("ko", "la")]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Output:
    folder = tmp_path_factory.mktemp("private-place")
    output = open_output(folder / "out")
    prepared = prepare_study(load_study(write_study(folder)), output.data)
    job = prepared.make_job(NAMES, HierarchySpec(1, 1, 1), [NAMES], 0, keep_model=True)
    execute(job, output.runs, Machine())
    return output


def export(output: Output, folder: Path, *more: str) -> Path:
    words = ["export", "3tasks", "--to", str(folder), "--out", str(output.folder), *more]
    app(words, standalone_mode=False)
    return folder


@dataclass
class Hub:
    """What the stand-in was sent."""

    address: str
    created: list[dict[str, object]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


def answer(hub: Hub, path: str, body: bytes) -> object:
    """Return what the hub says when a folder of small files is uploaded."""
    if path.endswith("/repos/create"):
        hub.created.append(json.loads(body))
        return {"url": f"{hub.address}/me/model"}
    if "/preupload/" in path:
        modes = {"uploadMode": "regular", "shouldIgnore": False}
        return {"files": [{"path": each["path"], **modes} for each in json.loads(body)["files"]]}
    if "/commit/" in path:
        parts = [json.loads(line) for line in body.splitlines()]
        for value in (part["value"] for part in parts if part["key"] == "file"):
            hub.files[value["path"]] = base64.b64decode(value["content"])
        address = f"{hub.address}/me/model/commit/1"
        return {"commitUrl": address, "commitOid": "1", "success": True}
    return {"id": "me/model", "sha": "0", "siblings": [], "errors": [], "warnings": []}


class Handler(BaseHTTPRequestHandler):
    """The stand-in's end points."""

    hub: Hub

    def do_POST(self) -> None:
        self.reply(self.rfile.read(int(self.headers["content-length"])))

    def do_GET(self) -> None:
        self.reply(b"")

    def reply(self, given: bytes) -> None:
        body = json.dumps(answer(self.hub, self.path, given)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    found = Hub("")
    handler = type("Made", (Handler,), {"hub": found})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        found.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        made = huggingface_hub.HfApi
        monkeypatch.setattr(
            huggingface_hub, "HfApi", lambda: made(found.address, token="hf_made_for_tests")
        )
        yield found
        server.shutdown()
        thread.join()


def test_a_whole_model_predicts_elsewhere_as_it_did(output: Output, tmp_path: Path) -> None:
    folder = export(output, tmp_path / "whole", "--task", "all", "--license", "mit")
    here, there = HMNet.from_pretrained("3tasks", output.folder), HMNet.from_pretrained(folder)
    assert there.predict(PAIRS, "match") == here.predict(PAIRS, "match")
    assert there.result.primary == here.result.primary
    card = (folder / "README.md").read_text()
    assert 'license: "mit"' in card
    assert "base_model" not in card
    score = here.result.primary["grade"]
    assert f"| grade | left, right | one value | correlation | {score:.4f}" in card


def test_a_whole_model_holds_no_path_of_the_machine(output: Output, tmp_path: Path) -> None:
    folder = export(output, tmp_path / "whole", "--task", "all")
    for path in folder.rglob("*"):
        assert path.is_dir() or b"private-place" not in path.read_bytes(), path.name


def test_a_folder_is_pushed_on_request_alone(output: Output, tmp_path: Path, hub: Hub) -> None:
    export(output, tmp_path / "kept", "--task", "tone")
    assert hub.created == []
    pushed = export(output, tmp_path / "one", "--task", "tone", "--push-to-hub", "me/model")
    assert "private" in str(hub.created[0]), "as a flag, or as the newer client says it"
    assert hub.files["README.md"] == (pushed / "README.md").read_bytes()
    assert hub.files["model.safetensors"] == (pushed / "model.safetensors").read_bytes()


def test_a_refusal_of_the_hub_is_a_sentence_and_the_folder_stays(
    output: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = export(output, tmp_path / "whole", "--task", "all")

    class Refusing:
        def create_repo(self, *words: object, **more: object) -> None:
            raise PermissionError("403 Forbidden\nmore")

    monkeypatch.setattr(huggingface_hub, "HfApi", Refusing)
    with pytest.raises(
        SourceError, match=r"may write to. Found `me/model`: .*403 Forbidden The fo"
    ):
        export_whole.push_folder(folder, "me/model")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--push-to-hub", "model"), r"OWNER/NAME. Found `model`"),
        (("--public",), r"`public` should be given with `--push-to-hub`"),
        (("--int8",), r"`int8` should be given with `--format onnx`"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    output: Output, tmp_path: Path, more: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        export(output, tmp_path / "none", "--task", "tone", *more)
    assert not (tmp_path / "none").exists()
