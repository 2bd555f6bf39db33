"""The process around the end points."""

from __future__ import annotations

import importlib.util
import socket
from typing import TYPE_CHECKING

from hmnet.commands.trained_model import TrainedModel
from hmnet.errors import InputError
from hmnet.serving.request_limits import Limits

if TYPE_CHECKING:
    import uvicorn

PACKAGES = ("fastapi", "uvicorn", "prometheus_client")
_ENDING_S = 5
_OPEN_CONNECTIONS = 1024


def require_serving() -> None:
    """Refuse to serve where packages are missing.

    Raises:
        InputError: that names the extra to install.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            "`hmnet serve` should find the packages of its extra. Found none of "
            f"{', '.join(missing)}: pip install 'task-relevance[serve]'."
        )


def open_socket(host: str, port: int) -> socket.socket:
    """Listen on an address, before the model is loaded.

    Raises:
        InputError: if the address is taken, or not of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"Parameter `port` should be free on `{host}`. Found `{port}`: {error}. `--port 0` "
            "takes any free one."
        ) from error


def make_server(model: TrainedModel, limits: Limits) -> uvicorn.Server:
    """Return a server that ends within seconds when it is told to, with an answer for everybody."""
    require_serving()
    import uvicorn

    from hmnet.serving.end_points import make_application

    config = uvicorn.Config(
        make_application(model, limits),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=_OPEN_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_ENDING_S,
    )
    return uvicorn.Server(config)
