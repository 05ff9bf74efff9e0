"""The form of every error's message: one line."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from growsearch.errors import GrowsearchError
from growsearch.reports import evidence
from growsearch.reports.trials import summary, table
from growsearch.study.networks import DamagedNetworkWarning
from growsearch.study.result import SearchResult


def one_line(caught: pytest.ExceptionInfo[BaseException]) -> str:
    """The message, once it is known to be one line."""
    text = str(caught.value)
    assert text
    assert "\n" not in text
    return text


def refusal(call: Callable[[Path], SearchResult], folder: Path) -> str:
    """The message of a call that refuses; "" where it answers with a result that can be shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamagedNetworkWarning)
        try:
            result = call(folder)
        except GrowsearchError as error:
            refused = str(error)
        else:
            refused = ""
            json.dumps(result.to_json(), allow_nan=False)
            assert result.best.network.sha256 == result.best.path.stem
            assert summary(result)
            assert table(result.trials)
            assert evidence.report(result.evidence())
    assert "\n" not in refused
    assert len(refused) < 1000
    return refused
