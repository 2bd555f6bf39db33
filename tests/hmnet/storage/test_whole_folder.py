"""A folder that is there whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmnet.errors import WriteError
from hmnet.storage.files import whole_folder


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
