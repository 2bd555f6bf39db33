"""`relevance agreement`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hmnet.console.speaking import Aside, Shown, wrote
from hmnet.folder.freshness import Sources, deriving, note_files
from hmnet.folder.outputs import Output, find_output_folder, open_output
from hmnet.storage.tables import write_table
from hmnet.study.study import Study, load_study
from relevance.agreement.agreement_format import AGREEMENT
from relevance.agreement.agreement_text import describe_agreement
from relevance.agreement.guesses_at_hand import (
    describe_untaken,
    find_guesses,
    split_layers,
    to_guess,
)
from relevance.agreement.judging import Guess, judge_guesses
from relevance.agreement.yardstick import Yardstick
from relevance.imported.named_matrix import open_matrix


def run_agreement(
    out: Path | None, gains: str | None, further: Sequence[str], *, layers: bool = False
) -> Iterator[str]:
    """Judge every measure of a folder, and further matrices, by gains; write agreement.parquet.

    Args:
        gains: the matrix that is believed; None for the folder's own sweep.
        further: files of matrices of the user's.
        layers: judge each layer, and each head, of the measures that have some as well.
    """
    output = Output(find_output_folder(out))
    named = open_matrix(output, None, gains or "pairwise")
    yardstick = Yardstick.of(named.matrix, named.draws)
    found = find_guesses(output, _find_study(output), named.matrix.tasks)
    own = [_read_own(output, name) for name in further]
    parts = split_layers(found.guesses) if layers else ()
    table = judge_guesses(yardstick, [*found.guesses, *own, *parts])
    open_output(out)
    made_from = [output.matrix("pairwise"), *found.files] if gains is None else found.files
    provenance = {"gains": named.matrix.identity, "reliability": yardstick.reliability}
    with deriving(Sources("relevance agreement", files=note_files(output, *made_from))):
        write_table(output.agreement, table, AGREEMENT.schema, provenance)
    yield from map(Aside, named.notes)
    yield Shown("\n".join(describe_agreement(table, yardstick)), agreement=table)
    yield from describe_untaken(found.missing)
    yield wrote(output.agreement)


def _find_study(output: Output) -> Study | None:
    return load_study(output.study_file) if output.study_file.exists() else None


def _read_own(output: Output, name: str) -> Guess:
    return to_guess(Path(name).stem, open_matrix(output, None, name).matrix)
