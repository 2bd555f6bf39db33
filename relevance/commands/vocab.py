"""`relevance vocab`."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.text_tables import format_square
from hmnet.console.speaking import Shown, wrote
from hmnet.data.notes import NOTES_FILE, tell_notes, write_notes
from hmnet.data.oddities import TaskFacts, find_in_facts, find_shadowed, read_facts
from hmnet.errors import InputError, SourceError
from hmnet.folder.freshness import Sources, deriving, note_study
from hmnet.folder.outputs import Output
from hmnet.study.study import Study
from relevance.vocabulary.study_vocabulary import measure_study_vocabulary


def run_vocab(
    output: Output, study: Study, tokenizer: str | None, unit: str, equation: int
) -> Iterator[str]:
    """Measure vocabulary co-occurrence; write `vocab.parquet`.

    What is odd about the rows is logged, and kept for the report where nothing else told it yet.
    """
    matrix = measure_study_vocabulary(study, tokenizer, unit, equation)
    doubts = _find_doubts(study) if unit == "wordpiece" and tokenizer is None else ()
    notes = (*doubts, *find_shadowed(study), *find_in_facts(_read_facts(study)))
    tell_notes(notes, output.data)
    if not (output.data / NOTES_FILE).exists():
        write_notes(output.data, notes)
    with deriving(Sources("relevance vocab", note_study(output, study, ()))):
        matrix.write(output.vocab)
    title = (
        f"share of the {'target' if equation == 2 else 'source'}'s vocabulary, in {unit}s, that "
    )
    title += "both have, in percent; rows are sources, columns targets"
    yield Shown(format_square(matrix.to_frame().mul(100), title), matrix=matrix.table)
    yield wrote(output.vocab)


def _read_facts(study: Study) -> dict[str, TaskFacts]:
    """Return the facts of those tasks that have labels and a dev split; the texts need neither."""
    facts: dict[str, TaskFacts] = {}
    for name, task in study.tasks.items():
        try:
            facts[name] = read_facts(task, study.rows, study.data_folder)
        except (InputError, SourceError):
            continue
    return facts


def _find_doubts(study: Study) -> Iterator[str]:
    """Yield what makes one doubt that the encoder's tokenizer belongs to it."""
    from hmnet.encoders.locate import load_tokenizer, read_vocab_size
    from hmnet.encoders.tokenizer_fit import find_doubts

    tokenizer = load_tokenizer(study.model, study.revision)
    yield from find_doubts({}, tokenizer, read_vocab_size(study.model, study.revision))
