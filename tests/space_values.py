"""Search spaces as plain values, for tests: one with a value changed, and the line of a refusal."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from growsearch.errors import SearchSpaceError
from growsearch.space import read_shipped

DEEP: list[Any] = []

for _ in range(5000):
    DEEP = [DEEP]

JUNK: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 10**9, -(10**18), 2**63, 10**400, 16**6000, 1e308, 5e-324),
    *(float("nan"), float("inf"), -float("inf"), 0.5, "", "digits", "\n", "\0", "\ud800", "é" * 9),
    *("x" * 10_000, [], {}, [[]], [None], {"": {}}, {"a": [{"b": 1}]}, [1e-9, 1], [1, 2, 3], DEEP),
    *(b"bytes", {"1": 2}, "5x5x99999999999999(conv1)-10(fc1)", "1(a)-" * 500, [28, 28, 10**12]),
]


def values(name: str = "digits") -> dict[str, Any]:
    return tomllib.loads(read_shipped(name))


def with_value(key: str, value: Any) -> dict[str, Any]:
    changed = values()
    *sections, last = key.split(".")
    table = changed
    for section in sections:
        table = table[section]
    table[last] = value
    return changed


def refused(call: Any, *args: Any, **options: Any) -> str:
    """Return the text of the refusal, which is one line of at most 1,500 characters."""
    with pytest.raises(SearchSpaceError) as caught:
        call(*args, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert 0 < len(text) < 1500
    return text
