"""A whole HMNet as one folder, for another machine or the hub, and its way there.

<folder>/
    model/, spec.json, result.json    what `hmnet predict FOLDER` and `HMNet.from_pretrained` read
    README.md                         the model card
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from pathlib import Path

from hmnet.commands.export import check_new_folder, find_exportable
from hmnet.errors import InputError, SourceError
from hmnet.folder.outputs import Output
from hmnet.models.saved import load_model
from hmnet.models.whole_card import is_local, write_whole_card
from hmnet.runs.result import read_result
from hmnet.runs.spec import SPEC_SCHEMA, RunSpec
from hmnet.storage.documents import write_document
from hmnet.storage.files import whole_folder, write_bytes
from hmnet.study.tasks import Source, Task


def export_whole(output: Output, run: str, folder: Path, licence: str | None = None) -> RunSpec:
    """Write a run's model with all its paths as a folder that `HMNet.from_pretrained` loads.

    Args:
        licence: for the model card; None leaves the field out.

    Raises:
        InputError: if there is no such run, it kept no model, or the folder holds other files.
    """
    path, spec = find_exportable(output, run)
    check_new_folder(folder)
    load_model(path / "model", spec)  # whole, and as the run wrote it
    with whole_folder(Path(os.path.abspath(folder))) as part:  # noqa: PTH100 (keeps links)
        shutil.copytree(path / "model", part / "model")
        shutil.copy(path / "result.json", part / "result.json")
        write_document(part / "spec.json", SPEC_SCHEMA, _leave_out_paths(spec))
        card = write_whole_card(spec, read_result(path / "result.json"), licence)
        write_bytes(part / "README.md", card.encode())
    return spec


def _leave_out_paths(spec: RunSpec) -> RunSpec:
    """Return a spec without the machine's folders, none of which is part of its identity."""
    name = Path(spec.model.name).name if is_local(spec.model.name) else spec.model.name
    return dataclasses.replace(
        spec,
        model=dataclasses.replace(spec.model, name=name),
        tasks=tuple(_leave_out_source(task) for task in spec.tasks),
    )


def _leave_out_source(task: Task) -> Task:
    source = task.source
    if source.folder is None and not is_local(source.repository or ""):
        return task
    return dataclasses.replace(task, source=Source())


def check_repository(name: str) -> None:
    """Refuse what is no id of a repository, before anything is written.

    Raises:
        InputError: if it is none.
    """
    if not re.fullmatch(r"[\w.-]{1,96}/[\w.-]{1,96}", name):
        raise InputError(
            f"Parameter `push_to_hub` should be a repository's id, OWNER/NAME. Found `{name}`."
        )


def push_folder(folder: Path, repository: str, *, public: bool = False) -> str:
    """Upload an exported folder to the hub, into a repository that is made if need be.

    Who may do so is known to the hub's own client (`hf auth login`).

    Args:
        public: whether a new repository can be seen by everybody; one that is there stays as it is.

    Returns:
        The address of the commit.

    Raises:
        SourceError: if the hub refuses it, or cannot be reached; the folder stays.
    """
    from huggingface_hub import HfApi

    hub = HfApi()
    try:
        hub.create_repo(repository, private=not public, exist_ok=True)
        commit = hub.upload_folder(
            repo_id=repository, folder_path=folder, commit_message="hmnet export"
        )
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise SourceError(
            f"Parameter `push_to_hub` should be a repository that you may write to. Found "
            f"`{repository}`: {type(error).__name__}: {first} The folder {folder} is whole; "
            "`hf auth login` says who you are."
        ) from error
    return str(commit.commit_url)
