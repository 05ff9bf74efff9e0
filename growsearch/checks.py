"""Checks of arguments, shared by all parts of growsearch but the numpy core."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isfinite
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
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


def number(
    name: str,
    value: Any,
    least: float = -inf,
    most: float = inf,
    *,
    above: bool = False,
    below: bool = False,
    unit: str = "",
    error: type[ValueError] = InvalidInputError,
) -> float:
    """Return a finite real number as a Python float, whether it is Python's or numpy's.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    value : Any
    least, most : float
        The bounds; infinity is no bound.
    above, below : bool
        True if the number must differ from ``least``, or from ``most``.
    unit : str
        Plural, for the message.
    error : type of the error

    Raises
    ------
    InvalidInputError
        Or ``error``: when the value is no finite real number, or beyond the bounds.

    Examples
    --------
    >>> number("ema", 1, 0.0, 1.0, below=True)
    Traceback (most recent call last):
    growsearch.errors.InvalidInputError: ema: expected 0 <= ema < 1, got 1
    """
    found = _finite(value)
    if found is not None:
        is_above = found > least if above else found >= least
        is_below = found < most if below else found <= most
        if is_above and is_below:
            return found
    if least == -inf and most == inf:
        expected = "a finite number"
    elif most == inf:
        expected = f"more than {least:g}" if above else f"{least:g} or more"
    elif least == -inf:
        expected = f"less than {most:g}" if below else f"at most {most:g}"
    elif above or below:
        signs = "<" if above else "<=", "<" if below else "<="
        expected = f"{least:g} {signs[0]} {name} {signs[1]} {most:g}"
    else:
        expected = f"{least:g} to {most:g}"
    raise error(f"{name}: expected {f'{expected} {unit}'.rstrip()}, got {value!r}")


def _finite(value: Any) -> float | None:
    """Return a finite real number as a Python float, and None for every other value."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except OverflowError:  # a whole number beyond the largest float
        return None
    return found if isfinite(found) else None


def expanded(path: str | PathLike[str], *, error: type[ValueError] = InvalidInputError) -> Path:
    """Return a path with ``~`` or ``~user`` at its start replaced by that user's home folder.

    Raises
    ------
    InvalidInputError
        Or ``error``: when there is no such user, or the user has no home folder.
    """
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError):  # ValueError: no user can have such a name
        raise error(
            f"{str(path)!r}: expected a path, got one in the home folder of an unknown user"
        ) from None


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
