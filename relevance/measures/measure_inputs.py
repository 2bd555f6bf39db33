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
    from relevance.measures.watched_run import WatchedRun
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
        from relevance.measures.single_runs import train_singles

        return train_singles(self._settled, self.output.runs, self._chosen, self.output.progress)

    @functools.cached_property
    def watched(self) -> WatchedRun:
        """One multi-task training of all tasks, done now and watched."""
        from relevance.measures.watched_run import train_watched

        return train_watched(self._settled)

    @functools.cached_property
    def _chosen(self) -> Workers:
        from hmnet.jobs.workers import Workers

        return self.workers or Workers.choose()

    @functools.cached_property
    def _settled(self) -> PreparedStudy:
        """The study with the precision of this machine."""
        from dataclasses import replace

        from hmnet.jobs.machine_precision import settle_precision

        devices, scheduler = self._chosen.devices, self._chosen.scheduler
        study = settle_precision(self.output.folder, self.study, devices, scheduler)
        return replace(self.prepared, study=study)
