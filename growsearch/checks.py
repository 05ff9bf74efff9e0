"""Checks of arguments that more than one part of growsearch makes."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from growsearch.errors import InvalidInputError, OutOfMemoryError
from growsearch.machine import physical_memory


def whole_number(name: str, value: Any, least: int, most: int | None = None) -> int:
    """The value as a Python int, whether it is one or numpy's.

    Raises
    ------
    InvalidInputError
        When it is no whole number, or not within the bounds.

    Examples
    --------
    >>> import numpy as np
    >>> whole_number("width", np.int64(8), 1)
    8
    """
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or value < least or (most is not None and value > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise InvalidInputError(f"{name}: expected a whole number {bounds}, got {value!r}")
    return int(value)


def check_memory(what: str, needed: float) -> None:
    """Refuse what could not be held, before the operating system ends the process for it.

    Parameters
    ----------
    what : str
        What the memory is for, for the message.
    needed : float
        Bytes.

    Raises
    ------
    OutOfMemoryError
        When this machine has less memory in all.
    """
    if needed > (memory := physical_memory()):
        raise OutOfMemoryError(
            f"{what}: expected to need at most the {memory / 1e9:,.0f} GB of this machine's "
            f"memory, got {needed / 1e9:,.0f} GB"
        )
