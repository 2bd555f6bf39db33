"""A Dask cluster in place of this machine's processes: reached, checked, and given jobs by joblib.

Workers must see the output folder under the same path, and import this package. Where workers were
started with the resource `GPU` (`dask worker --resources "GPU=1"`), every job asks for one and runs
on the first GPU that its worker sees; else jobs run on CPUs. A worker that vanishes has its job
done by another one, which goes on from the job's checkpoint.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from uuid import uuid4

from hmnet.errors import ClusterError, InputError, first_line
from hmnet.storage.regular_files import read_regular_text

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")

GPU = "GPU"
LOOK_S = 1.0
"""Seconds between two checks that the scheduler is still there."""


@contextmanager
def connect(address: str) -> Iterator[Client]:
    """Hold a connection to a scheduler that has workers.

    Raises:
        InputError: if Dask is not installed, the scheduler not reached, or without workers.
    """
    try:
        from distributed import Client
        from distributed.utils import LoopRunner
    except ImportError:
        raise InputError(
            "Parameter `scheduler` should be used where Dask is installed "
            "(`pip install 'task-relevance[dask]'`). Found no package `distributed`."
        ) from None
    for name in ("distributed", "distributed.client"):  # what matters comes as an error
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        LoopRunner().run_sync(_reach, address)  # type: ignore[no-untyped-call]
        client = Client(address, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            "Parameter `scheduler` should be the address of a running Dask scheduler, such as "
            f"tcp://host:8786. Found `{address}`: {first_line(error)}"
        ) from None
    try:
        _check_workers(client, address)
        yield client
    finally:
        client.close()  # type: ignore[no-untyped-call]


async def _reach(address: str) -> None:
    """Open and close a connection: a client that fails to is a minute in being cleared away."""
    from distributed.comm.core import connect as open_connection
    from distributed.security import Security

    options = Security().get_connection_args("client")  # type: ignore[no-untyped-call]
    connection = await open_connection(address, **options)  # type: ignore[no-untyped-call]
    await connection.close()


def _check_workers(client: Client, address: str) -> None:
    import dask

    patience = dask.config.get("distributed.comm.timeouts.connect")
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError:
        raise InputError(
            f"Parameter `scheduler` should be a scheduler with workers. Found `{address}`, which "
            f"had none for {patience}."
        ) from None


def list_workers(client: Client) -> dict[str, bool]:
    """Return the address of each worker that takes jobs, and whether it gives them a GPU.

    Workers without a GPU take none where others have one.
    """
    workers: dict[str, dict[str, dict[str, float]]] = client.scheduler_info(n_workers=-1)["workers"]
    has_gpu = {name: bool(info["resources"].get(GPU)) for name, info in workers.items()}
    return {name: gpu for name, gpu in has_gpu.items() if gpu or not any(has_gpu.values())}


def count_workers(address: str) -> tuple[int, bool]:
    """Return how many workers of a scheduler take jobs, and whether these use GPUs."""
    with connect(address) as client:
        workers = list_workers(client)
        return len(workers), any(workers.values())


def check_shared_folder(client: Client, folder: Path) -> None:
    """Check that every worker sees a folder, and has this package.

    Raises:
        InputError: that names the workers that do not.
    """
    sign = uuid4().hex
    mark = folder / f".seen-{sign}"
    mark.write_text(sign, encoding="utf-8")
    try:
        seen = _ask(client, partial(_sees, str(mark), sign))
    finally:
        mark.unlink(missing_ok=True)
    blind = sorted(worker for worker, sees in seen.items() if not sees)
    if blind:
        raise InputError(
            f"Parameter `out` should be a folder that all workers share. Found `{folder}`, which "
            f"{', '.join(blind)} {'does' if len(blind) == 1 else 'do'} not see."
        )


def ask_workers(address: str, question: Callable[[], T]) -> list[T]:
    """Return what each worker of a scheduler that takes jobs answers.

    Raises:
        InputError: as `connect`, and if workers have another version of this package.
    """
    with connect(address) as client:
        return list(_ask(client, question, list(list_workers(client))).values())


def _ask(
    client: Client, question: Callable[[], T], workers: list[str] | None = None
) -> dict[str, T]:
    try:
        answers: dict[str, T] = client.run(question, workers=workers)
    except Exception as error:  # noqa: BLE001 (whatever a worker raises as it reads the call)
        raise InputError(
            "Parameter `scheduler` should have workers with this package and its version of "
            f"Python. Found: {first_line(error)}"
        ) from None
    return answers


def _sees(mark: str, sign: str) -> bool:
    """Tell whether this worker reads what was written: a folder of that name may be another one."""
    path = Path(mark)
    return path.is_file() and read_regular_text(path, len(sign)) == sign


_End: TypeAlias = "BaseException | None"


def follow(client: Client, address: str, run: Callable[[], Iterator[T]]) -> Iterator[T]:
    """Yield what `run` yields, for as long as the scheduler is there.

    joblib waits forever for results of a scheduler that is gone, so it waits in its own thread.

    Raises:
        ClusterError: if the scheduler cannot be reached any more.
    """
    found: queue.Queue[tuple[list[T], _End]] = queue.Queue()
    collect = threading.Thread(target=_collect, args=(run, found), daemon=True)
    collect.start()
    while True:
        try:
            values, error = found.get(timeout=LOOK_S)
        except queue.Empty:
            if client.status in ("closing", "closed"):
                raise _lost(address) from None
            continue
        if isinstance(error, OSError | TimeoutError | CancelledError):
            raise _lost(address) from error  # what jobs raise is in their outcomes
        if error is not None:
            raise error
        if not values:
            return
        yield from values


def _collect(run: Callable[[], Iterator[T]], found: queue.Queue[tuple[list[T], _End]]) -> None:
    """Put what `run` yields into a queue, one by one, then how it ended."""
    try:
        for value in run():
            found.put(([value], None))
    except BaseException as error:  # noqa: BLE001 (raised again, by the thread that follows)
        found.put(([], error))
    else:
        found.put(([], None))


def _lost(address: str) -> ClusterError:
    return ClusterError(
        f"The Dask scheduler {address} cannot be reached any more. The same command goes on from "
        "what is finished."
    )
