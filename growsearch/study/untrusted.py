"""Untrusted values of a database: their errors in one line, numbers checked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from growsearch.errors import DamagedRunError, GrowsearchError

# Exceptions that Optuna, SQLAlchemy and growsearch raise for values that growsearch did not write.
_TRIPPED = (
    *(TypeError, ValueError, LookupError, AttributeError),
    *(ArithmeticError, AssertionError, RecursionError),
)


@contextmanager
def untrusted(what: str) -> Iterator[None]:
    """Turn the errors of reading stored values into one line that names ``what`` was read.

    Raises
    ------
    DamagedRunError
        In place of any error that a changed value can cause.
    """
    try:
        yield
    except _TRIPPED as error:
        if isinstance(error, GrowsearchError):
            raise
        raise DamagedRunError(
            f"{what}: expected what growsearch wrote ({_reason(error)}): the study was changed by "
            "another program; start again in a new --out"
        ) from None


def _reason(error: Exception) -> str:
    """Return an error in one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        reason = f"{where}: {first['msg']}, got {str(first['input'])[:80]!r}"
    else:
        reason = f"{type(error).__name__}: {error}"
    return " ".join(reason.split())[:200]


def finite(value: Any) -> float:
    """Return the value as a float, if it is a number that JSON can hold too."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{str(value)[:80]!r} is no finite number")
    return float(value)
