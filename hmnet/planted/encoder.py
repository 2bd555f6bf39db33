"""A small BERT with weights from a seed, and a tokenizer that knows the suite's words whole."""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from transformers import BertConfig, BertModel, BertTokenizer

from hmnet.encoders.quiet import quiet
from hmnet.planted.dialects import APPROVING, COAST_WORDS, DISAPPROVING, INLAND_WORDS
from hmnet.planted.sentences import list_plain_words
from hmnet.seeding import derive_seed

WIDTH = 32
DEPTH = 3
HEADS = 4
MAX_TOKENS = 128
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def write_encoder(folder: Path, seed: int) -> Path:
    """Write configuration, weights and tokenizer, as `from_pretrained` reads them."""
    vocabulary = list_vocabulary()
    model = _make_model(len(vocabulary), seed)
    tokenizer = BertTokenizer(
        vocab={token: i for i, token in enumerate(vocabulary)},
        do_lower_case=True,
        model_max_length=MAX_TOKENS,
    )
    with quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def list_vocabulary() -> list[str]:
    """Return the tokens by id: special ones, the suite's words whole, and characters.

    Characters stand alone and, as `##a`, inside a word, so that any other text has tokens too.
    """
    made = (*COAST_WORDS, *INLAND_WORDS)
    words = sorted({*list_plain_words(), *APPROVING, *DISAPPROVING, *made})
    return list(dict.fromkeys([*SPECIAL_TOKENS, *words, *_list_characters()]))


def _list_characters() -> Iterator[str]:
    alphabet = string.ascii_lowercase + string.digits
    yield from string.punctuation
    yield from alphabet
    yield from (f"##{character}" for character in alphabet)


def _make_model(vocab_size: int, seed: int) -> BertModel:
    config = BertConfig(
        vocab_size=vocab_size,
        hidden_size=WIDTH,
        num_hidden_layers=DEPTH,
        num_attention_heads=HEADS,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=MAX_TOKENS,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.05,
    )
    model = BertModel(config)
    _initialise(model, seed)
    return model


def _initialise(model: nn.Module, seed: int) -> None:
    """Draw every matrix from the seed, by name, so that no other random state matters."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "planted", "encoder"))
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if parameter.dim() > 1:
                parameter.normal_(0.0, _choose_scale(name), generator=generator)
            else:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)


def _choose_scale(name: str) -> float:
    """Return a standard deviation under which so small a model learns from its first steps.

    BERT's own 0.02 suits a width of 768. Matrices keep the variance of what they transform
    (1 / sqrt(width)) and attention begins nearly even. Words begin weaker than segments, so that
    a word that training never shows stays close to neutral.
    """
    if "token_type_embeddings" in name:
        return 0.1
    if "position_embeddings" in name:
        return 0.02
    if "word_embeddings" in name:
        return 0.03
    if ".query." in name or ".key." in name:
        return 0.05
    return float(WIDTH**-0.5)
