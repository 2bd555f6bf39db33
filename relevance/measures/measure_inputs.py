"""What measures are taken from: a study, its rows and tokens, each read once when asked for."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hmnet.folder.outputs import Output
from hmnet.study.study import Study

if TYPE_CHECKING:
    from hmnet.jobs.prepared import PreparedStudy
    from hmnet.jobs.workers import Workers
    from relevance.measures.single_runs import SingleRuns
    from relevance.vocabulary.token_counts import TokenCounts


@dataclass(frozen=True)
class MeasureInputs:
    """A study and its output folder; several measures of one command share what was read.

    Attributes:
        study: the tasks, the encoder and the settings.
        output: where tokenised rows and runs lie.
        workers: what does runs that are missing; None for this machine as it is.
    """

    study: Study
    output: Output
    workers: Workers | None = None

    @functools.cached_property
    def prepared(self) -> PreparedStudy:
        """The tokenised rows that runs train on, and the encoder identified."""
        from hmnet.jobs.prepared import prepare_study

        return prepare_study(self.study, self.output.data)

    @functools.cached_property
    def tokens(self) -> TokenCounts:
        """How often each task's training texts hold each token of the study's encoder."""
        from relevance.vocabulary.study_vocabulary import count_study_tokens

        return count_study_tokens(self.study)

    @functools.cached_property
    def singles(self) -> SingleRuns:
        """Each task's own trained model; those that are missing are trained."""
        from dataclasses import replace

        from hmnet.jobs.machine_precision import settle_precision
        from hmnet.jobs.workers import Workers
        from relevance.measures.single_runs import train_singles

        workers = self.workers or Workers.choose()
        study = settle_precision(self.output.folder, self.study, workers.devices, workers.scheduler)
        prepared = replace(self.prepared, study=study)
        return train_singles(prepared, self.output.runs, workers, self.output.progress)
