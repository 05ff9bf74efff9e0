"""Times in words: spans of seconds, and moments of a run."""

from __future__ import annotations


def span(seconds: float) -> str:
    """Return a span of time in minutes and seconds.

    Examples
    --------
    >>> span(9.6), span(300.2)
    ('10 s', '5 min 0 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def moment(elapsed: float, *, in_seconds: bool) -> str:
    """Return a moment of a run, as on a clock where it is in seconds; else a number of updates.

    Examples
    --------
    >>> moment(64.7, in_seconds=True), moment(3723.0, in_seconds=True)
    ('1:05', '1:02:03')
    >>> moment(1234.5, in_seconds=False)
    '1,234'
    """
    if not in_seconds:
        return f"{elapsed:,.0f}"
    minutes, seconds = divmod(round(elapsed), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def length(run: float, *, in_seconds: bool) -> str:
    """Return the length of a run.

    Examples
    --------
    >>> length(300.0, in_seconds=True), length(20000, in_seconds=False)
    ('5 min 0 s', '20,000 updates of the first network')
    """
    return span(run) if in_seconds else f"{run:,.0f} updates of the first network"
