"""Where a run's losses and scores go besides its own folder: TensorBoard, Weights & Biases.

    with open_logger(("tensorboard",), folder, run_id, settings) as logger:
        logger.log(step, {"loss/rte": 0.61})

A logger only watches. It is no part of a run's identity, and a run that is done already is not
logged again.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from hmnet.errors import InputError, suggest


class Logger(Protocol):
    """What a run reports to."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take the values of an optimiser step, named like `loss/rte`."""

    def close(self) -> None:
        """Write what is still held back."""


class TensorBoardLogger:
    """Event files for `tensorboard --logdir FOLDER`."""

    def __init__(self, folder: Path, run_id: str, settings: Mapping[str, object]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / run_id))
        self._writer.add_text("settings", "\n".join(f"    {k}: {v}" for k, v in settings.items()))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add a scalar per value."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write the events to disk."""
        self._writer.close()


class WandbLogger:
    """A Weights & Biases run of the same id, in the project `task-relevance` or WANDB_PROJECT."""

    def __init__(self, folder: Path, run_id: str, settings: Mapping[str, object]) -> None:
        wandb = importlib.import_module("wandb")  # an extra: not there for type checkers
        folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=wandb.Settings().project or "task-relevance",
            id=run_id,
            name=run_id,
            dir=str(folder),
            config=dict(settings),
            resume="allow",
            reinit="create_new",
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log the values under their step."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


LOGGERS: Mapping[str, Callable[[Path, str, Mapping[str, object]], Logger]] = {
    "tensorboard": TensorBoardLogger,
    "wandb": WandbLogger,
}


def check_loggers(names: Sequence[str]) -> None:
    """Raise an `InputError` for a logger that is unknown or not installed."""
    for name in names:
        if name not in LOGGERS:
            raise InputError(
                f"Parameter `log` should be {' or '.join(LOGGERS)}. Found `{name}`."
                f"{suggest(name, LOGGERS)}"
            )
        try:
            importlib.import_module(name)
        except ImportError:
            raise InputError(
                f"Parameter `log` should name a logger that is installed. Found `{name}`, which "
                f"is not: pip install 'task-relevance[{name}]'."
            ) from None


@contextmanager
def open_logger(
    names: Sequence[str], folder: Path, run_id: str, settings: Mapping[str, object]
) -> Iterator[Logger]:
    """Open the named loggers as one; without names it is one that drops everything.

    Args:
        names: keys of `LOGGERS`.
        folder: where loggers keep files; each has a folder of its name in it.
        run_id: the run's id.
        settings: what the logger shows of the run.
    """
    with ExitStack() as stack:
        loggers = []
        for name in names:
            logger = LOGGERS[name](folder / name, run_id, settings)
            stack.callback(logger.close)
            loggers.append(logger)
        yield _Loggers(loggers)


def join_loggers(*loggers: Logger | None) -> Logger:
    """Return the loggers that are there as one."""
    return _Loggers([logger for logger in loggers if logger is not None])


class _Loggers:
    def __init__(self, loggers: Sequence[Logger]) -> None:
        self._loggers = loggers

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for logger in self._loggers:
            logger.log(step, values)

    def close(self) -> None:
        for logger in self._loggers:
            logger.close()
