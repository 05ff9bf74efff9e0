"""What every error's message has in common: it is one line."""

from __future__ import annotations

import pytest


def one_line(caught: pytest.ExceptionInfo[BaseException]) -> str:
    """The message, once it is known to be one line."""
    text = str(caught.value)
    assert text
    assert "\n" not in text
    return text
