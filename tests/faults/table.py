"""The table of faults, from what the tests counted: printed at the end of their session.

A test's counts travel with its report, also from the processes of pytest-xdist.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

PROPERTY = "fault"  # of a report: (fault, N, lost, duplicates, stuck)
HEAD = ("fault", "N", "lost results", "duplicate results", "stuck trials")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table, before pytest's last line."""
    reports = [each for found in terminalreporter.stats.values() for each in found]
    counted = [
        value
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in getattr(report, "user_properties", ())
        if name == PROPERTY
    ]
    if counted:
        terminalreporter.section("faults")
        for line in lines(counted):
            terminalreporter.write_line(line)


def lines(counted: Iterable[tuple[str, int, int, int, int]]) -> list[str]:
    r"""The table in Markdown, one row a fault.

    >>> print(*lines([("killed", 1, 0, 0, 0), ("killed", 2, 1, 0, 0)]), sep="\n")
    | fault | N | lost results | duplicate results | stuck trials |
    |---|--:|--:|--:|--:|
    | killed | 3 | 1 | 0 | 0 |
    """
    rows: dict[str, list[int]] = {}
    for fault, *counts in counted:
        before = rows.get(fault, [0] * len(counts))
        rows[fault] = [sum(pair) for pair in zip(before, counts, strict=True)]
    table = [f"| {' | '.join(HEAD)} |", "|---|--:|--:|--:|--:|"]
    table += [f"| {fault} | {' | '.join(map(str, counts))} |" for fault, counts in rows.items()]
    return table
