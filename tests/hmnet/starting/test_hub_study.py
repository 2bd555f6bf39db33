"""A study begun from a data set on the hub, for which a local stand-in answers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import datasets
import pytest

from hmnet.errors import InputError, SourceError
from hmnet.starting.folder_study import begin_study, is_hub_id
from hmnet.study.study import load_study

TEXTS = [f"the screen of device {i} is broken" for i in range(60)]
FEATURES = datasets.Features(
    {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
)


def make(size: int, label: int | None = None) -> datasets.Dataset:
    labels = [i % 2 if label is None else label for i in range(size)]
    return datasets.Dataset.from_dict({"text": TEXTS[:size], "label": labels}, FEATURES)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[str, datasets.Dataset]:
    """The splits of `owner/screens`; anything else is not there."""
    splits = {"train": make(40), "test": make(20, -1), "validation": make(20)}

    def load(name: str, config: str | None = None) -> dict[str, datasets.Dataset]:
        if name != "owner/screens" or config not in (None, "small"):
            raise FileNotFoundError(f"no {name}")
        return splits

    answer = SimpleNamespace(dataset_info=lambda *a, **k: SimpleNamespace(sha="0" * 40))
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: answer)
    monkeypatch.setattr(datasets, "load_dataset", load)
    return splits


@pytest.mark.parametrize("name", ["owner/screens", "owner/screens:small"])
def test_a_study_names_the_classes_and_takes_the_labelled_dev_split(
    hub: dict[str, datasets.Dataset], tmp_path: Path, name: str
) -> None:
    begun = begin_study(Path(name), tmp_path / "study.toml", f"relevance init {name}")
    (task,) = load_study(tmp_path / "study.toml").tasks.values()
    assert task.labels == ("no", "yes")
    assert task.text == ("text",)
    (rows,) = begun.rows.values()
    assert rows.folder.parent == tmp_path / "hub-rows"
    assert sorted(path.name for path in rows.folder.iterdir()) == [
        "train.parquet",
        "validation.parquet",
    ]


def test_what_cannot_be_loaded_leaves_nothing(
    hub: dict[str, datasets.Dataset], tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match="could not be loaded"):
        begin_study(Path("owner/others"), tmp_path / "study.toml", "init")
    del hub["train"]
    with pytest.raises(SourceError, match="should have a split `train`"):
        begin_study(Path("owner/screens"), tmp_path / "study.toml", "init")
    hub["train"] = make(40, 1)
    with pytest.raises(InputError):
        begin_study(Path("owner/screens"), tmp_path / "study.toml", "init")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_hub_id(tmp_path: Path) -> None:
    assert is_hub_id("nyu-mll/glue:rte")
    assert not any(map(is_hub_id, ("tickets", "./tickets/new", "/a/b", "a/b/c", "")))
    with pytest.raises(InputError, match="should be a folder"):
        begin_study(tmp_path / "none", tmp_path / "study.toml", "init")
