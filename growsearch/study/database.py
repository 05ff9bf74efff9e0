"""The database of a run: opened for several processes, its errors turned into one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.exceptions import OptunaError, StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from growsearch.errors import RunError, without_password

DATABASE = "study.db"

STORAGE_ERRORS = (SQLAlchemyError, OptunaError)

_LOCK_SECONDS = 60  # SQLite waits for another process this long


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
    shown = without_password(url)
    try:
        is_sqlite = make_url(url).get_backend_name() == "sqlite"
        if is_sqlite and make_url(url).database in (None, "", ":memory:"):
            raise ValueError("a database in memory ends with its process")
        options = {"connect_args": {"timeout": _LOCK_SECONDS}} if is_sqlite else {}
        storage = RDBStorage(url, engine_kwargs={"pool_pre_ping": True, **options})
    except (*STORAGE_ERRORS, ImportError, OSError, ValueError, RuntimeError) as error:
        reason = _reason(error, url)
        if _lacks_psycopg(error):
            raise RunError(
                f"storage {shown}: cannot be opened ({reason}): expected psycopg and a URL "
                "such as postgresql+psycopg://user@host/name: pip install 'growsearch[postgresql]'"
            ) from None
        raise RunError(
            f"storage {shown}: cannot be opened ({reason}): expected the URL of a database that "
            "Optuna can use, such as sqlite:///study.db or postgresql+psycopg://user@host/name"
        ) from None
    if is_sqlite:
        _begin_immediate(storage)
    return storage


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


def _reason(error: Exception, url: str) -> str:
    """Return a database's error in one line, without the password."""
    lines = str(error.__cause__ or error).strip().splitlines()
    return without_password(lines[0], url=url) if lines else type(error).__name__


@contextmanager
def storage_errors(where: str) -> Iterator[None]:
    """Turn the errors of a database, within the block, into one line."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        reason = _reason(error, where)
        raise RunError(
            f"{without_password(where)}: the database failed ({reason}); everything finished is "
            "stored: run the same command again to continue"
        ) from None
