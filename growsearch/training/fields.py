"""Rules of a plan's fields, declared beside each field as ``Annotated`` metadata."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import Field, dataclass, fields
from enum import Flag, auto
from math import inf
from typing import Any, get_type_hints

from growsearch.checks import number, whole_number
from growsearch.errors import InvalidInputError


class Key(Flag):
    """The tables of a search space that have a key for a field; without one it is set in Python."""

    TRAINING = auto()  # every section of a training
    LAST = auto()  # [polish.last]
    CHOICE = auto()  # [choices]: a range, from which Optuna chooses


@dataclass(frozen=True)
class Whole:
    """A whole number of at least ``least``; in a search space also of at most ``space_most``."""

    least: int
    space_most: int = 10**9

    def check(self, name: str, value: Any) -> int:
        """Return the value as a Python int, or refuse it."""
        return whole_number(name, value, self.least)


@dataclass(frozen=True)
class Interval:
    """A finite real number from ``least`` to ``most``.

    Parameters
    ----------
    least, most : float
    above, below : bool
        True if the number must differ from ``least``, or from ``most``.
    unit : str
        Plural, for the message.
    space_most : float, optional
        The most that a search space allows, by default ``most``.
    """

    least: float = 0.0
    most: float = inf
    above: bool = False
    below: bool = False
    unit: str = ""
    space_most: float | None = None

    def check(self, name: str, value: Any) -> Any:
        """Return the value, or refuse it."""
        number(
            name,
            value,
            self.least,
            self.most,
            above=self.above,
            below=self.below,
            unit=self.unit,
        )
        return value


@dataclass(frozen=True)
class OneOf:
    """One of some names."""

    choices: tuple[str, ...]

    def check(self, name: str, value: Any) -> str:
        """Return the value, or refuse it."""
        if not isinstance(value, str) or value not in self.choices:
            raise InvalidInputError(
                f"{name}: expected one of {', '.join(self.choices)}, got {value!r}"
            )
        return value


@dataclass(frozen=True)
class Switch:
    """True or False."""

    def check(self, name: str, value: Any) -> bool:
        """Return the value, or refuse it."""
        if not isinstance(value, bool):
            raise InvalidInputError(f"{name}: expected true or false, got {value!r}")
        return value


@dataclass(frozen=True)
class InImage:
    """A number of pixels that leaves at least ``room`` of an image's shorter side."""

    room: int


Rule = Whole | Interval | OneOf | Switch


@dataclass(frozen=True)
class Knob:
    """A field with its rule.

    Parameters
    ----------
    name : str
    rule : Rule
    keys : Key
    default : object
        ``dataclasses.MISSING`` where a value must be given.
    room : int, optional
        Of :class:`InImage`.
    """

    name: str
    rule: Rule
    keys: Key
    default: Any
    room: int | None = None

    def check(self, value: Any) -> Any:
        """Return the value as the field holds it, or refuse it; None is a default's alone."""
        return None if value is None and self.default is None else self.rule.check(self.name, value)


def knobs_of(holder: type[Any]) -> tuple[Knob, ...]:
    """Return the fields of a dataclass that have a rule, in their order."""
    hints = get_type_hints(holder, include_extras=True)
    found = (_knob(each, getattr(hints[each.name], "__metadata__", ())) for each in fields(holder))
    return tuple(knob for knob in found if knob is not None)


def _knob(each: Field[Any], metadata: Iterable[Any]) -> Knob | None:
    rule, keys, room = None, Key(0), None
    for entry in metadata:
        if isinstance(entry, Rule):
            rule = entry
        elif isinstance(entry, Key):
            keys = entry
        elif isinstance(entry, InImage):
            room = entry.room
    return None if rule is None else Knob(each.name, rule, keys, each.default, room)


def check_fields(value: object) -> None:
    """Check the fields of a frozen dataclass by their rules; whole numbers become Python's.

    Raises
    ------
    InvalidInputError
        Names the field, what was expected and what came.
    """
    for knob in knobs_of(type(value)):
        object.__setattr__(value, knob.name, knob.check(getattr(value, knob.name)))
