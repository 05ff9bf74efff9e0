"""The growths that the campaigns of a trunk tried, as lines and a table."""

from __future__ import annotations

from collections.abc import Sequence

from growsearch.reports.times import moment
from growsearch.reports.trials import sizes
from growsearch.trials.metrics import METRICS
from growsearch.trials.records import TrialRecord

_KEPT, _NOT_KEPT, _FAILED = "KEPT", "not kept", "failed"


def header(*, in_seconds: bool, metric: str = "accuracy") -> str:
    """Return the line of column names above the growths that are tried."""
    at, value = "time" if in_seconds else "updates", METRICS[metric].column
    return _growth_line("trial", at, "growth", value, "outcome")


def line(record: TrialRecord, *, in_seconds: bool) -> str:
    """Return a growth that was tried as a line: time, sizes, accuracy, outcome, and the reason.

    The accuracies of its controls stand at the end, in brackets.
    """
    outcome = _FAILED if record.state == "FAIL" else _KEPT if record.kept else _NOT_KEPT
    arms = [(name, arm.accuracy) for name, arm in record.arms.items()][1:]
    controls = ", ".join(f"{name} {'-' if a is None else f'{a:.4f}'}" for name, a in arms)
    accuracy = record.validation_accuracy
    return _growth_line(
        str(record.number),
        "" if record.elapsed is None else moment(record.elapsed, in_seconds=in_seconds),
        sizes(record),
        "-" if accuracy is None else f"{accuracy:.4f}",
        f"{outcome}: {record.reason}" + (f" ({controls})" if controls else ""),
    )


def table(
    records: Sequence[TrialRecord], *, in_seconds: bool, metric: str = "accuracy"
) -> list[str]:
    """Return all growths that were tried as lines, below the names of the columns."""
    lines = (line(record, in_seconds=in_seconds) for record in records)
    return [header(in_seconds=in_seconds, metric=metric), *lines]


def _growth_line(number: str, at: str, growth: str, accuracy: str, outcome: str) -> str:
    return f"{number:>5} {at:>7} {growth:<36} {accuracy:>8} {outcome}".rstrip()
