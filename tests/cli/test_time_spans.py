"""Time spans as they are typed: 1h30m, 90s, 45; and nothing else."""

from __future__ import annotations

import math

import click
import pytest

from growsearch.cli.options import Duration, TimeBudget


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1h5s", 3605),
        ("1h30m10s", 5410),
        ("45", 45),
        ("0.5", 0.5),
        ("1.5s", 1.5),
        (" 90s ", 90),
    ],
)
def test_a_time_span_is_read_in_seconds(text: str, seconds: float) -> None:
    """Hours, minutes and seconds add up; a number alone is seconds."""
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "0", "0s", "0h0m", "-5", "-5s", "s", "h", "1d", "5x", "10 m", "1m1h", "30s1m"),
        *("1h30", "10m5", "1.5h", ".5s", "1e3", "inf", "nan", "none", "9" * 400 + "h", "9" * 5000),
    ],
)
def test_no_other_time_span_is_read(text: str) -> None:
    """Text that is ambiguous, zero, infinite or no time span is refused."""
    with pytest.raises(click.BadParameter, match="expected a time span"):
        Duration().convert(text, None, None)


def test_no_time_budget_is_a_word() -> None:
    """The word none is no limit, whatever the space says; other texts are time spans."""
    assert TimeBudget().convert("none", None, None) == math.inf
    assert TimeBudget().convert("10m", None, None) == 600
    with pytest.raises(click.BadParameter, match="expected a time span"):
        TimeBudget().convert("0", None, None)
