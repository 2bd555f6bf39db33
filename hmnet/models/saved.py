"""Trained models on disk, and any task's path as an ordinary Hugging Face model folder.

model/
    encoder/            configuration and tokenizer of the encoder
    model.safetensors   every parameter once
    hmnet.json          written last
"""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic.dataclasses import dataclass
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

from hmnet.data.tokens import identify_tokenizer
from hmnet.encoders.config import load_config
from hmnet.encoders.load import prepare_encoder
from hmnet.encoders.locate import load_tokenizer
from hmnet.encoders.quiet import quiet
from hmnet.errors import InputError
from hmnet.models.build import build_kept, load_encoder_of
from hmnet.models.model_card import ModelCard
from hmnet.models.paths import PathModel
from hmnet.packing.forward import takes_segments
from hmnet.runs.result import RunResult, check_files, read_result
from hmnet.runs.spec import RunSpec
from hmnet.storage.documents import read_document, write_document
from hmnet.storage.files import write_bytes
from hmnet.study.settings import STRICT

MODEL_SCHEMA = "model/1"


@dataclass(frozen=True, config=STRICT)
class SavedModel:
    """What a model folder says of itself.

    Attributes:
        run_id: the run that trained it.
        max_length: most tokens of an example in its training.
    """

    run_id: str
    max_length: int


def write_model(
    folder: Path, model: PathModel, spec: RunSpec, max_length: int, tokenizer_id: str = ""
) -> None:
    """Write a trained model; `hmnet.json` comes last, so its presence means complete.

    Args:
        tokenizer_id: `hmnet.data.identify_tokenizer` of the tokenizer that made the rows.

    Raises:
        InputError: if the encoder's folder holds another encoder or tokenizer by now.
    """
    (folder / "encoder").mkdir(parents=True, exist_ok=True)
    tokenizer = load_tokenizer(spec.model.name, spec.model.revision)
    if tokenizer_id and identify_tokenizer(tokenizer) != tokenizer_id:
        raise InputError(
            "Parameter `model` should have the tokenizer that the rows were tokenised with. Found "
            f"another one in `{spec.model.name}`: its files were replaced. The same command, "
            "given again, plans with those that are there now."
        )
    with quiet():
        load_encoder_of(spec).config.save_pretrained(folder / "encoder")
        tokenizer.save_pretrained(folder / "encoder")
    tensors = {name: p.detach().cpu().contiguous() for name, p in model.named_parameters()}
    write_bytes(folder / "model.safetensors", save(tensors, {"format": "pt"}))
    write_document(folder / "hmnet.json", MODEL_SCHEMA, SavedModel(spec.run_id, max_length))


def load_model(folder: Path, spec: RunSpec) -> PathModel:
    """Load a model that `write_model` wrote; it needs nothing outside of `folder`.

    Raises:
        InputError: if the run kept no model, or a file is not the one that the run wrote.
    """
    if not (folder / "hmnet.json").exists():
        raise InputError(
            f"Parameter `run` should name a run that kept its model. `{folder.parent.name}` has "
            "none; train it with `hmnet train`, or run the sweep with `--keep-models`."
        )
    check_model(folder)
    read_saved_model(folder)
    config = load_config(folder / "encoder")
    with quiet():
        stock = AutoModelForSequenceClassification.from_config(
            config, dtype=torch.float32, trust_remote_code=False
        )
    encoder = prepare_encoder(stock, frozenset())
    model = build_kept(encoder, spec)
    _read_parameters(folder / "model.safetensors", model)
    return model.eval()


def check_model(folder: Path) -> None:
    """Compare a model's files with the digests in its run's result, where it has them.

    Raises:
        InputError: that names every file that was altered or lost.
    """
    result = folder.parent / "result.json"
    files = read_result(result).files if result.exists() else {}
    check_files(folder.parent, {k: v for k, v in files.items() if k.startswith(f"{folder.name}/")})


def read_saved_model(folder: Path) -> SavedModel:
    """Read what a model folder says of itself."""
    return read_document(folder / "hmnet.json", MODEL_SCHEMA, SavedModel)


def _read_parameters(path: Path, model: PathModel) -> None:
    try:
        with safe_open(path, framework="pt") as file, torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(file.get_tensor(name))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(f"{path}: the file should hold the run's parameters. {error}") from error


def export_path(
    model: PathModel,
    tokenizer: PreTrainedTokenizerFast,
    spec: RunSpec,
    task: str,
    out: Path,
    result: RunResult,
) -> None:
    """Write a task's path as a model folder that transformers loads.

    Its class is `AutoModelForSequenceClassification`; of a task whose words have labels,
    `AutoModelForTokenClassification`.

    The folder holds the configuration with the task's labels, safetensors, the tokenizer with the
    length that inputs are cut to, and a model card; loading it needs transformers alone.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = model.path(task)
    has_segments = takes_segments(path)
    if not has_segments:  # a stock model would be given what this one was trained without
        kept = [name for name in tokenizer.model_input_names if name != "token_type_ids"]
        tokenizer.model_input_names = kept
    with quiet():
        path.save_pretrained(out)  # type: ignore[operator]
        tokenizer.save_pretrained(out)
    definition = next(t for t in spec.tasks if t.name == task)
    most = int(tokenizer.model_max_length)
    card = ModelCard(spec, definition, result, tokenizer, has_segments, most)
    write_bytes(out / "README.md", card.write().encode())
