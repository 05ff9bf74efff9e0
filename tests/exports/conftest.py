"""Fixtures of the exports: their files are timed by few calls."""

from __future__ import annotations

import pytest

from growsearch.exports import measure


@pytest.fixture(autouse=True)
def few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five calls instead of 200: no test is about how fast a file is."""
    monkeypatch.setattr(measure, "_MOST", 5)
