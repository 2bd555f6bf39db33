"""`relevance vocab`."""

from __future__ import annotations

from collections.abc import Iterator

from hmnet.folder.freshness import Sources, deriving, note_study
from hmnet.folder.outputs import Output
from hmnet.study.study import Study
from relevance.vocabulary.study_vocabulary import measure_study_vocabulary


def run_vocab(
    output: Output, study: Study, tokenizer: str | None, unit: str, equation: int
) -> Iterator[str]:
    """Measure vocabulary co-occurrence; write `vocab.parquet`."""
    matrix = measure_study_vocabulary(study, tokenizer, unit, equation)
    sources = Sources("relevance vocab", note_study(output, study, ()))
    with deriving(sources):
        matrix.write(output.vocab)
    yield matrix.to_frame().mul(100).round(2).to_string()
    yield f"wrote {output.vocab}"
