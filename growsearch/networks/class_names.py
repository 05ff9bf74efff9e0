"""Names of classes: one for each output of a network, readable and each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from growsearch.errors import InvalidInputError

LONGEST = 255  # characters, as of a folder's name


def checked_names(field: str, names: Any, count: int | None = None) -> tuple[str, ...]:
    """Return names of classes as a tuple.

    Parameters
    ----------
    field : str
        For the message.
    names : sequence of str
        As a caller or a file gave them.
    count : int, optional
        The number of names that is expected.

    Raises
    ------
    InvalidInputError
        When they are no list of text, too many or too few, too long, not printable, or not unique.

    Examples
    --------
    >>> checked_names("names", ["cat", "dog"], 2)
    ('cat', 'dog')
    """
    if not isinstance(names, Sequence) or isinstance(names, str | bytes):
        raise InvalidInputError(f"{field}: expected a list of names of classes, got {names!r}")
    for name in names:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise InvalidInputError(f"{field}: expected printable text, got {str(name)[:50]!r}")
        if len(name) > LONGEST:
            raise InvalidInputError(
                f"{field}: expected at most {LONGEST} characters, got {len(name)}: {name[:50]!r}…"
            )
    if count is not None and len(names) != count:
        raise InvalidInputError(
            f"{field}: expected {count}, one for each class, got {len(names)}: "
            f"{', '.join(names)[:100]}"
        )
    if len(set(names)) < len(names):
        twice = next(name for name, times in Counter(names).items() if times > 1)
        raise InvalidInputError(f"{field}: expected each name once, got {twice!r} twice")
    return tuple(names)
