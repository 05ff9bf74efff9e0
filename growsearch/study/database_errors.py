"""The errors of a database: each in one line, and those after which its server may come back."""

from __future__ import annotations

from collections.abc import Iterator

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,
    SQLAlchemyError,
)

from growsearch.errors import without_password

# What PostgreSQL says when it will soon answer; any other "FATAL" at a connection is a refusal,
# such as of a password, or of a database that does not exist.
_SOON = ("the database system is", "too many", "connection slots", "terminating connection")


def reason(error: BaseException, url: str) -> str:
    """Return a database's error in one line, without the password."""
    lines = str(error.__cause__ or error).strip().splitlines()
    return without_password(lines[0], url=url) if lines else type(error).__name__


def is_away(error: BaseException) -> bool:
    """Return whether an error says that the database's server cannot be reached at present."""
    if not isinstance(error, SQLAlchemyError | StorageInternalError):
        return False
    if any(isinstance(each, PendingRollbackError) for each in _chain(error)):
        return True  # a transaction has lost its connection before; a repetition begins a new one
    causes = [each for each in _chain(error) if isinstance(each, DBAPIError)]
    if any(each.connection_invalidated for each in causes):
        return True
    return any(
        isinstance(each, OperationalError | InterfaceError)
        and ("FATAL" not in (text := str(each.orig)) or any(words in text for words in _SOON))
        for each in causes
    )


def is_damaged(error: BaseException) -> bool:
    """Return whether an error says that a file is no database of SQLite's, or not any more."""
    return any(
        words in str(each)
        for each in _chain(error)
        for words in ("file is not a database", "database disk image is malformed")
    )


def is_full(error: BaseException) -> bool:
    """Return whether an error says that the disk of a SQLite database is full."""
    return any("database or disk is full" in str(each) for each in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, in turn."""
    while error is not None:
        yield error
        error = error.__cause__
