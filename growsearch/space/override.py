"""Overrides: values that replace those of a search-space file, each with its dotted key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from growsearch.errors import SearchSpaceError
from growsearch.space.invalid import shown, shown_value

_FRACTION = re.compile(r"(?<![\w.])\.(?=\d)")  # the point of .5, which TOML writes 0.5


@dataclass(frozen=True)
class Override:
    """A value for one key of a search space.

    Parameters
    ----------
    key : str
        The dotted key, such as "training.steps".
    value
        The value as TOML would give it: a number, text, a list or a dict.
    source : str
        The option that the value came from; errors begin with it.

    Examples
    --------
    >>> Override.parse("training.steps=100")
    Override(key='training.steps', value=100, source='--set')
    """

    key: str
    value: Any
    source: str = "--set"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``KEY=VALUE``: a dotted key, and a TOML value; a value that is not TOML is text.

        Raises
        ------
        SearchSpaceError
            When the text has another form.
        """
        key, equals, value = text.partition("=")
        if not equals or not all(key.strip().split(".")):
            raise SearchSpaceError(
                f"{cls.source}: expected KEY=VALUE, such as training.steps=100, "
                f"got {shown_value(text)}"
            )
        return cls(key.strip(), typed_value(value))


def overrides_of(given: str | Override | Sequence[str | Override]) -> tuple[Override, ...]:
    """Return one or several overrides as values; those that are text are parsed.

    Raises
    ------
    SearchSpaceError
        When one is neither an override nor text of the form ``KEY=VALUE``.
    """
    every: object = (given,) if isinstance(given, str | Override) else given
    if not isinstance(every, Iterable) or isinstance(every, bytes | Mapping):
        raise SearchSpaceError(f"overrides: expected a list of KEY=VALUE, got {shown_value(given)}")
    return tuple(_one(each) for each in every)


def changed(values: Mapping[str, Any], overrides: Iterable[Override]) -> dict[str, Any]:
    """Return values with those of the overrides in their places; later overrides win.

    Raises
    ------
    SearchSpaceError
        When a key lies below a value that is not a table.
    """
    result = dict(values)
    for override in overrides:
        *parents, last = override.key.split(".")
        table = result
        for depth, parent in enumerate(parents, start=1):
            inner = table.get(parent, {})
            if not isinstance(inner, dict):
                key, above = shown(override.key), shown(".".join(parents[:depth]))
                raise SearchSpaceError(
                    f"{override.source}: {key}: expected {above} to be a table, "
                    f"got {shown_value(inner)}"
                )
            table[parent] = table = dict(inner)
        table[last] = override.value
    return result


def sources_of(key: str, overrides: Iterable[Override]) -> str:
    """Name the sources of the overrides at, above or below a key; of all where there are none."""
    standing = {override.key: override.source for override in overrides}  # the last of a key wins
    meeting = [source for each, source in standing.items() if _meet(each, key)]
    return " and ".join(dict.fromkeys(meeting or standing.values()))


def _one(given: object) -> Override:
    if isinstance(given, Override):
        return given
    if not isinstance(given, str):
        raise SearchSpaceError(f"overrides: expected text KEY=VALUE, got {shown_value(given)}")
    return Override.parse(given)


def typed_value(text: str) -> Any:
    """Return a value as it is typed: in TOML, in which fractions may be .5 too; else the text.

    Examples
    --------
    >>> typed_value("[.5, 2]"), typed_value("reset")
    ([0.5, 2], 'reset')
    """
    for toml in (text, _FRACTION.sub("0.", text)):
        try:
            (value,) = tomllib.loads(f"value = {toml}").values()
        except (ValueError, RecursionError):
            continue
        return value
    return text.strip()


def _meet(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
