"""One task's path of a trained model, exported for use with transformers alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

from hmnet.commands.stored_run import find_task
from hmnet.encoders.locate import load_tokenizer
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.models.saved import export_path, load_model, read_saved_model
from hmnet.runs.result import read_result
from hmnet.runs.spec import RunSpec
from hmnet.storage.files import whole_folder, write_bytes


def export_task(
    output: Output, run: str, task: str, folder: Path, licence: str | None = None
) -> None:
    """Write a task's path as an ordinary Hugging Face model folder.

    Args:
        licence: for the model card; None leaves the field out.

    Raises:
        InputError: if the run lacks the task or its model, or the folder holds other files.
    """
    path, spec = find_exportable(output, run)
    find_task(spec, task)
    check_new_folder(folder)
    model = load_model(path / "model", spec)
    tokenizer = load_tokenizer(str(path / "model" / "encoder"))
    tokenizer.model_max_length = read_saved_model(path / "model").max_length
    with whole_folder(Path(os.path.abspath(folder))) as part:  # noqa: PTH100 (keeps links)
        export_path(model, tokenizer, spec, task, part, read_result(path / "result.json"))
        if licence is not None:
            _add_licence(part / "README.md", licence)


def _add_licence(card: Path, licence: str) -> None:
    text = card.read_text(encoding="utf-8")
    write_bytes(card, text.replace("---\n", f"---\nlicense: {json.dumps(licence)}\n", 1).encode())


def find_exportable(output: Output, run: str) -> tuple[Path, RunSpec]:
    """Return folder and spec of a run whose paths are ordinary models.

    Raises:
        InputError: if there is no such run, or they are not.
    """
    path, spec = output.runs.find(run)
    if spec.system != "hierarchy":
        raise InputError(
            "Parameter `run` should be one whose paths are ordinary models. Found "
            f"`{spec.run_id}`, a SkillNet-style model."
        )
    return path, spec


def check_new_folder(folder: Path) -> None:
    """Refuse a folder that holds files.

    Raises:
        InputError: if it does, or is a file itself.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"Parameter `to` should be a new or empty folder. Found `{folder}`.")
