"""A folder that is there whole, or not at all."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from hmnet.errors import WriteError
from hmnet.folder.outputs import open_output
from hmnet.jobs.processes import own_folder
from hmnet.storage.files import whole_folder
from hmnet.storage.replacing import replace_file
from hmnet.study.hierarchy import Groups


@pytest.mark.parametrize("is_there", [True, False])
def test_a_folder_appears_with_all_that_is_in_it(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "a" / "model"
    if is_there:
        folder.mkdir(parents=True)
    with whole_folder(folder) as part:
        (part / "config.json").write_text("{}")
        assert not folder.exists() or not list(folder.iterdir())
    assert [path.name for path in folder.iterdir()] == ["config.json"]
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_what_is_cut_off_leaves_nothing_in_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "model"

    def write() -> None:
        with whole_folder(folder) as part:
            (part / "config.json").write_text("{}")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert list(tmp_path.iterdir()) == []


def test_files_that_appear_meanwhile_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "model"

    def write() -> None:
        with whole_folder(folder):
            folder.mkdir()
            (folder / "mine").write_text("x")

    with pytest.raises(WriteError, match="should be writable"):
        write()
    assert [path.name for path in folder.iterdir()] == ["mine"]


def test_what_a_kill_left_is_removed_by_the_next_write_and_a_live_one_is_not(
    tmp_path: Path,
) -> None:
    dead, live, other = (tmp_path / f".model.{name}.part" for name in ("dead", "live", "young"))
    for part in (dead, live, other):
        part.mkdir()
        (part / "config.json").write_text("{}")
    (dead / ".lock").touch()
    with FileLock(live / ".lock"):
        with whole_folder(tmp_path / "model") as part:
            (part / "config.json").write_text("{}")
        assert (live / "config.json").exists()
    assert not dead.exists()
    assert other.exists()  # without a lock as yet: just begun
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["config.json"]


def test_a_part_of_a_file_that_a_kill_left_in_an_output_folder_is_removed(tmp_path: Path) -> None:
    output = open_output(tmp_path / "out")
    left = output.folder / ".groups.json.abc.part"
    left.write_text("half")
    kept = output.folder / ".other.json.abc.part"
    kept.write_text("half")
    Groups.one(["a"]).write(output.groups)
    assert not left.exists()
    assert kept.exists()
    replace_file(output.groups, output.groups.read_bytes())
    assert Groups.read(output.groups) == Groups.one(["a"])


def test_folders_of_processes_that_are_gone_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    host = socket.gethostname()
    dead, elsewhere = (tmp_path / f"x-{h}-{process.pid}-abc" for h in (host, "another"))
    for path in (dead, elsewhere):
        path.mkdir()
    with own_folder("x-") as first, own_folder("x-") as second:
        assert first.is_dir()
        assert second.is_dir()
        assert not dead.exists()
    assert list(tmp_path.iterdir()) == [elsewhere]
