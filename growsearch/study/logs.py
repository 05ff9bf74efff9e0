"""The log lines of Optuna and SQLAlchemy, which a command keeps off the screen."""

from __future__ import annotations

import logging

import optuna

_REPEATED_QUERY = "Caught an error from sqlalchemy"  # of an error that is raised again, if it lasts


def hide_logs() -> None:
    """Hide the log lines of Optuna and SQLAlchemy; their warnings and errors stay.

    Of the warnings one is hidden, with which Optuna repeats a query that failed: it has the whole
    query in it. Where the database does not answer, the second query fails too, and is reported.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("optuna.storages._rdb.storage").addFilter(_is_no_repeated_query)
    # SQLAlchemy's pool logs the interruption of a transaction, which is rolled back all the same.
    logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())


def _is_no_repeated_query(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_REPEATED_QUERY)
