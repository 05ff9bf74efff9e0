"""The log lines of Optuna and SQLAlchemy, which a command keeps off the screen."""

from __future__ import annotations

import logging

import optuna


def hide_logs() -> None:
    """Hide the log lines of Optuna and SQLAlchemy; their warnings and errors stay."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # SQLAlchemy's pool logs the interruption of a transaction, which is rolled back all the same.
    logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())
