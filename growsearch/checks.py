"""Checks of arguments, shared by all parts of growsearch but the numpy core."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any

from growsearch.errors import InvalidInputError, OutOfMemoryError
from growsearch.machine import physical_memory

LARGEST_SEED = 2**32 - 1  # of numpy's RandomState, with which scikit-learn splits digits


def is_whole_number(value: Any) -> bool:
    """Return whether the value is a whole number, of Python's or numpy's; True is none.

    Examples
    --------
    >>> import numpy as np
    >>> is_whole_number(np.int64(8)), is_whole_number(True), is_whole_number(8.0)
    (True, False, False)
    """
    return isinstance(value, Integral) and not isinstance(value, bool)


def whole_number(
    name: str,
    value: Any,
    least: int,
    most: int | None = None,
    *,
    error: type[ValueError] = InvalidInputError,
) -> int:
    """Return a whole number as a Python int, whether it is Python's or numpy's.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    value : Any
    least, most : int
        The bounds, both included; None is no bound.
    error : type of the error

    Raises
    ------
    InvalidInputError
        Or ``error``: when the value is no whole number, or beyond the bounds.

    Examples
    --------
    >>> import numpy as np
    >>> whole_number("width", np.int64(8), 1)
    8
    """
    if not is_whole_number(value) or value < least or (most is not None and value > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise error(f"{name}: expected a whole number {bounds}, got {value!r}")
    return int(value)


def check_choice(
    name: str,
    value: Any,
    choices: Iterable[str],
    *,
    error: type[ValueError] = InvalidInputError,
) -> None:
    """Raise InvalidInputError, or ``error``, unless the value is one of the choices."""
    if value not in (known := tuple(choices)):
        raise error(f"{name}: expected one of {', '.join(known)}, got {value!r}")


def check_memory(what: str, needed: float) -> None:
    """Refuse what needs more memory than this machine has, before it is allocated.

    Otherwise the operating system would end the process without a message.

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
