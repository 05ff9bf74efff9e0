"""The checks of arguments."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from growsearch.checks import number
from growsearch.errors import InvalidInputError


@pytest.mark.parametrize("value", [2, 2.0, np.int8(2), np.float32(2), np.float64(2), Fraction(2)])
def test_a_number_of_any_type_becomes_a_float(value: Any) -> None:
    """Python's and numpy's alike."""
    found = number("rate", value, 2.0, 2.0)
    assert (found, type(found)) == (2.0, float)


@pytest.mark.parametrize(
    "value", ["a", "1", None, True, np.True_, [1.0], 1j, nan, inf, -inf, 10**400, np.float32(nan)]
)
def test_what_is_no_finite_number_is_refused(value: Any) -> None:
    """Whatever its type, with the name and the value in the message."""
    with pytest.raises(InvalidInputError, match=r"^rate: expected a finite number, got ") as raised:
        number("rate", value)
    assert repr(value) in str(raised.value)


@pytest.mark.parametrize(
    ("value", "bounds", "expected"),
    [
        (-1, {"least": 0.0}, "0 or more"),
        (0, {"least": 0.0, "above": True, "unit": "seconds"}, "more than 0 seconds"),
        (181, {"least": 0.0, "most": 180.0, "unit": "degrees"}, "0 to 180 degrees"),
        (1, {"least": 0.0, "most": 1.0, "below": True}, "0 <= rate < 1"),
        (0, {"least": 0.0, "most": 1.0, "above": True}, "0 < rate <= 1"),
        (4, {"most": 3.0}, "at most 3"),
        (3, {"most": 3.0, "below": True}, "less than 3"),
    ],
)
def test_bounds_are_named(value: float, bounds: dict[str, Any], expected: str) -> None:
    """The message has what was expected and what came; the error may be another."""
    with pytest.raises(InvalidInputError, match=f"^rate: expected {expected}, got {value}$"):
        number("rate", value, **bounds)
    with pytest.raises(ValueError, match=r"^rate: expected") as raised:
        number("rate", value, **bounds, error=ValueError)
    assert type(raised.value) is ValueError


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_bounds_are_included_unless_told_otherwise(value: float) -> None:
    """``above`` and ``below`` leave them out."""
    assert number("rate", value, 0.0, 1.0) == value
    if value in (0.0, 1.0):
        with pytest.raises(InvalidInputError):
            number("rate", value, 0.0, 1.0, above=value == 0.0, below=value == 1.0)
