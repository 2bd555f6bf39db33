"""A sentencepiece model alone is read with the numbers that its architecture gives to pieces."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import transformers
from own_rows import make_texts

from hmnet.encoders.locate import load_tokenizer

SMALL = {
    "vocab_size": 120,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
DEBERTA = {
    "pad_id": 0,
    "bos_id": 1,
    "eos_id": 2,
    "unk_id": 3,
    "pad_piece": "[PAD]",
    "bos_piece": "[CLS]",
    "eos_piece": "[SEP]",
    "unk_piece": "[UNK]",
}


def write_model(path: Path, **options: Any) -> sentencepiece.SentencePieceProcessor:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(make_texts(300)),
        model_writer=model,
        vocab_size=60,
        hard_vocab_limit=False,
        minloglevel=2,
        **options,
    )
    path.write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


@pytest.mark.parametrize(
    ("kind", "name", "options", "shift"),
    [
        ("DebertaV2Config", "spm.model", DEBERTA, 0),
        # fairseq's four special tokens come before the pieces, of which the first three are such
        ("XLMRobertaConfig", "sentencepiece.bpe.model", {}, 1),
        # CamemBERT has one more, and a second unknown one
        ("CamembertConfig", "sentencepiece.bpe.model", {}, 4),
    ],
)
def test_a_sentencepiece_model_alone_is_read(
    tmp_path: Path, kind: str, name: str, options: dict[str, Any], shift: int
) -> None:
    getattr(transformers, kind)(**SMALL).save_pretrained(tmp_path)
    model = write_model(tmp_path / name, **options)
    tokenizer = load_tokenizer(str(tmp_path))
    for text in make_texts(5):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert ids == [i + shift for i in model.encode(text)]
    inside = tokenizer("", add_special_tokens=True)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(inside)[0] in ("[CLS]", "<s>")
