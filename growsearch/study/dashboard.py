"""The Optuna dashboard on a run: both studies, on this machine only."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from growsearch.checks import expanded
from growsearch.errors import RunError
from growsearch.study.open import find
from growsearch.study.optuna_private import storage_of

HOST = "127.0.0.1"  # the dashboard has no log-in, so no other machine may reach it


def serve(
    folder: str | Path,
    *,
    storage: str | None = None,
    port: int = 8080,
    announce: Callable[[str], object] = lambda _: None,
) -> None:
    """Serve the dashboard of a run until interrupted.

    Parameters
    ----------
    folder : path
        The run folder.
    storage : str, optional
        The storage URL of the run, if it was not its folder's.
    port : int
        On 127.0.0.1.
    announce : callable, optional
        Called with the address, when nothing stands in the way of serving there.

    Raises
    ------
    RunError
        When there is no run in the folder, or the port is taken.
    """
    folder = expanded(folder)
    study, _ = find(folder, storage)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise _unusable(port, error) from None
    from optuna_dashboard import run_server

    announce(f"http://{HOST}:{port}/")
    try:
        run_server(storage_of(study), host=HOST, port=port)
    except OSError as error:  # taken since it was tried
        raise _unusable(port, error) from None


def _unusable(port: int, error: OSError) -> RunError:
    return RunError(
        f"port {port} of {HOST} cannot be used ({error.strerror}): choose another --port"
    )
