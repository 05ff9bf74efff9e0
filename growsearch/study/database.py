"""The database of a run: opened for several processes, its errors turned into one line."""

from __future__ import annotations

import errno
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.exceptions import OptunaError, StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from growsearch.errors import (
    DamagedRunError,
    RunError,
    StorageGoneError,
    disk_error,
    without_password,
)
from growsearch.study.database_errors import is_away, is_damaged, is_full, reason
from growsearch.study.patience import PatientStorage, StorageWarning

DATABASE = "study.db"

STORAGE_ERRORS = (SQLAlchemyError, OptunaError)

_LOCK_SECONDS = 60  # SQLite waits for another process this long
# Of libpq, which would wait for minutes where a server's machine is gone, or for hours.
_POSTGRESQL = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


def database_url(folder: Path) -> str:
    """Return the URL of a run folder's SQLite database."""
    path = (folder / DATABASE).resolve()
    # Not by an f-string: ? and % in a path mean something else in a URL.
    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def lacks_file(url: str) -> bool:
    """Return whether a URL is that of a SQLite database whose file is missing or empty.

    Opening it would make the file, and a command that only reads must not write.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        return False  # opening it raises the error
    name = parsed.database or ""
    if parsed.get_backend_name() != "sqlite" or name.startswith((":", "file:")):
        return False
    try:
        return not Path(name).is_file() or Path(name).stat().st_size == 0
    except (OSError, ValueError):
        return True


def open_storage(url: str) -> RDBStorage:
    """Open a storage; with SQLite, so that several processes can share it.

    Raises
    ------
    RunError
        When it cannot be opened: one line, without the password.
    """
    shown, is_sqlite = without_password(url), False
    try:
        backend = make_url(url).get_backend_name()
        if backend in ("mysql", "mariadb"):
            warnings.warn(
                f"storage {shown}: growsearch is not tested with MySQL; it is with SQLite and "
                "PostgreSQL",
                StorageWarning,
                stacklevel=2,
            )
        is_sqlite = backend == "sqlite"
        if is_sqlite and make_url(url).database in (None, "", ":memory:"):
            raise ValueError("a database in memory ends with its process")
        options = {"pool_pre_ping": True, "connect_args": _connect_options(make_url(url))}
        kind = RDBStorage if is_sqlite else PatientStorage
        storage = kind(url, engine_kwargs=options)
    except (*STORAGE_ERRORS, ImportError, OSError, ValueError, RuntimeError) as error:
        line = reason(error, url)
        if is_sqlite and is_full(error):
            raise _full(url) from None
        if _lacks_psycopg(error):
            raise RunError(
                f"storage {shown}: cannot be opened ({line}): expected psycopg and a URL "
                "such as postgresql+psycopg://user@host/name: pip install 'growsearch[postgresql]'"
            ) from None
        # The same command may find the server again; not where the URL is at fault.
        raise _kind_of(error, is_sqlite)(
            f"storage {shown}: cannot be opened ({line}): expected the URL of a database that "
            "Optuna can use, such as sqlite:///study.db or postgresql+psycopg://user@host/name"
        ) from None
    if is_sqlite:
        _begin_immediate(storage)
    return storage


def check_answers(url: str) -> float:
    """Ask a database whether it is there, and change nothing; return the seconds that it took.

    Raises
    ------
    RunError
        When it does not answer, or the URL is none: one line, without the password.
    """
    began = time.perf_counter()
    try:
        if lacks_file(url):  # which the first run makes
            return time.perf_counter() - began
        engine = create_engine(url, connect_args=_connect_options(make_url(url)))
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        finally:
            engine.dispose()
    except (*STORAGE_ERRORS, ImportError, OSError, ValueError, RuntimeError) as error:
        raise RunError(f"does not answer: {reason(error, url)}") from None
    return time.perf_counter() - began


def _full(where: str) -> RunError:
    """Return the error of a full disk under a SQLite database, of a URL or a run folder."""
    file = Path((make_url(where).database or "") if "://" in where else Path(where) / DATABASE)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
    return disk_error(full, file.parent)


def _kind_of(error: Exception, is_sqlite: bool) -> type[RunError]:
    """Return the kind of an error at the opening."""
    if is_sqlite:
        return DamagedRunError if is_damaged(error) else RunError
    return StorageGoneError if is_away(error) else RunError


def _connect_options(url: URL) -> dict[str, Any]:
    """Return the options of a connection: how long a lock or a silent server is waited for."""
    if url.get_backend_name() == "sqlite":
        return {"timeout": _LOCK_SECONDS}
    if url.drivername not in ("postgresql+psycopg", "postgresql+psycopg2", "postgresql"):
        return {}
    in_url = url.query.keys() | ({"connect_timeout"} if "PGCONNECT_TIMEOUT" in os.environ else ())
    return {name: value for name, value in _POSTGRESQL.items() if name not in in_url}


def _begin_immediate(storage: RDBStorage) -> None:
    """Take SQLite's write lock at the start of a transaction, not in its middle.

    With the default, a transaction that read before it writes fails where another process, such as
    the dashboard, wrote in between.
    """

    @event.listens_for(storage.engine, "connect")
    def _no_implicit_begin(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(storage.engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    storage.engine.dispose()  # connections made before the listeners


def _lacks_psycopg(error: Exception) -> bool:
    """Return whether an error says that PostgreSQL's driver is not installed."""
    cause = error.__cause__ or error
    return isinstance(cause, ImportError) and (cause.name or "").startswith("psycopg")


@contextmanager
def storage_errors(where: str) -> Iterator[None]:
    """Turn the errors of a database, within the block, into one line."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        if is_full(error):
            raise _full(where) from None
        kind = DamagedRunError if is_damaged(error) else RunError
        raise kind(
            f"{without_password(where)}: the database failed ({reason(error, where)}); everything "
            "finished is stored: run the same command again to continue"
        ) from None
