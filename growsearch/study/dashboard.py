"""The Optuna dashboard on a run: both studies, on this machine only."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from optuna.exceptions import StorageInternalError
from optuna.study import Study
from sqlalchemy.exc import SQLAlchemyError

from growsearch.checks import expanded
from growsearch.errors import GrowsearchError, RunError
from growsearch.networks.store import NetworkStore
from growsearch.study.lock import locked
from growsearch.study.networks import DamagedNetworkWarning
from growsearch.study.open import WEIGHTS, find
from growsearch.study.optuna_private import storage_of
from growsearch.study.result import result_of
from growsearch.study.shown import ARTIFACTS, show

HOST = "127.0.0.1"  # the dashboard has no log-in, so no other machine may reach it
_PICTURES = 10.0  # seconds for the pictures of trials


def serve(
    folder: str | Path,
    *,
    storage: str | None = None,
    port: int = 8080,
    announce: Callable[[str], object] = lambda _: None,
) -> None:
    """Serve the dashboard of a run until interrupted.

    Figures, notes and pictures that the run has not written itself are written first, unless a
    process works on it.

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
    study, control_study = find(folder, storage)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise _unusable(port, error) from None
    _show(study, control_study, folder)
    from optuna.artifacts import FileSystemArtifactStore
    from optuna_dashboard import run_server

    announce(f"http://{HOST}:{port}/")
    pictures = FileSystemArtifactStore(folder / ARTIFACTS)
    try:
        run_server(storage_of(study), host=HOST, port=port, artifact_store=pictures)
    except OSError as error:  # taken since it was tried
        raise _unusable(port, error) from None


def _show(study: Study, control_study: Study, folder: Path) -> None:
    """Write figures, notes and pictures of a run, where no process works on it and does so itself.

    What stands in the way of it, such as a folder that cannot be written to, or a run that has no
    network yet, does not stand in the way of the dashboard.
    """
    if not folder.is_dir():  # that of another machine, whose database is shared
        return
    in_the_way = (GrowsearchError, OSError, SQLAlchemyError, StorageInternalError)
    with suppress(*in_the_way), locked(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore", DamagedNetworkWarning)
        show(result_of(study, control_study, NetworkStore(folder / WEIGHTS)), seconds=_PICTURES)


def _unusable(port: int, error: OSError) -> RunError:
    return RunError(
        f"port {port} of {HOST} cannot be used ({error.strerror}): choose another --port"
    )
