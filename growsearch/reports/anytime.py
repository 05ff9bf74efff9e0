"""The course of a run with a trunk: a table of its commits and end, its lineage, its seconds."""

from __future__ import annotations

from collections.abc import Sequence

from growsearch.networks.outline import outline
from growsearch.reports.times import moment, span
from growsearch.study.anytime import Anytime
from growsearch.study.lineage import Ancestor
from growsearch.study.result import SearchResult
from growsearch.study.shares import Shares
from growsearch.trials.metrics import METRICS
from growsearch.trials.records import TrialRecord

_END = "end"


def curve(result: SearchResult, course: Anytime) -> list[str]:
    """Return the anytime curve as a table: a line a commit, and one for the end.

    The test images are used at the end only.

    Parameters
    ----------
    result : SearchResult
    course : Anytime
        Of the result.
    """
    time = "time" if course.in_seconds else "updates"
    metric = METRICS[result.metric]
    rows = [(time, "network", "parameters", "growths kept", metric.column, "loss", "test")]
    for reading in course.rows:
        is_end = reading is course.end
        lineage = course.grown(reading)
        at = moment(reading.elapsed, in_seconds=course.in_seconds)
        test = result.test_score if is_end else None
        rows.append(
            (
                f"{_END} {at}" if is_end else at,
                outline(lineage[-1].architecture),
                f"{reading.parameters:,}",
                str(len(lineage) - 1),
                f"{reading.validation_accuracy:.4f}",
                f"{reading.validation_loss:.4f}",
                "" if test is None else f"{test:.4f}",
            )
        )
    return [
        f"The network at each commit and at the end, with validation {metric.words} and loss:",
        *_aligned(rows),
    ]


def course_rows(course: Anytime, trials: Sequence[TrialRecord]) -> list[tuple[str, str]]:
    """Return lineage and shares of a run, as (name, value) pairs."""
    shares = [] if course.shares is None else [("seconds", shares_line(course.shares))]
    return [*lineage_rows(course, trials), *shares]


def lineage_rows(course: Anytime, trials: Sequence[TrialRecord]) -> list[tuple[str, str]]:
    """Return how the network grew, and why each growth was kept, as (name, value) pairs."""
    first, *grown = course.lineage
    tried = f"{len(trials)} growth{'s' * (len(trials) != 1)} tried"
    if not grown:
        return [("grown", f"{outline(first.architecture)}: {tried}, none kept")]
    steps = " → ".join(_step(each, course) for each in course.lineage)
    return [
        ("grown", f"{steps} ({tried}, {len(grown)} kept)"),
        *(("kept", f"trial {each.trial}, {each.growth}: {each.reason}") for each in grown),
    ]


def _step(each: Ancestor, course: Anytime) -> str:
    """Return one network of a lineage, with the time at which it took the trunk's place."""
    drawn = outline(each.architecture)
    if each.elapsed is None:
        return drawn
    at = moment(each.elapsed, in_seconds=course.in_seconds)
    return f"{drawn} at {at}" if course.in_seconds else f"{drawn} at {at} updates"


def shares_line(shares: Shares) -> str:
    """Return the shares of the workers' seconds as a line, without parts below half a per cent."""
    parts = (
        (shares.descent, "updates that the network descends from"),
        (shares.deciding, "deciding"),
        (shares.controls, "controls"),
        (shares.commits, "other commits"),
        (shares.around, "loading and evaluation"),
        (shares.idle, "idle"),
    )
    always = parts[:2]
    told = (part for part in parts if part in always or part[0] >= 0.005)
    text = ", ".join(f"{100 * share:.0f} % {name}" for share, name in told)
    return f"of {span(shares.seconds)} of all workers: {text}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines: the network on the left of its column, all others on the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place == 1 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
