"""Growths in the anytime curve of a run, and shares of its time: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

EARLY_SECONDS = 240.0


def growths(trial: int | None, parents: Mapping[int, int | None]) -> int:
    """Return the number of growths that a network descends from.

    Parameters
    ----------
    trial : int or None
        The last of them; None is the first network.
    parents : mapping
        Trial -> the trial whose network it grew; None is the first network.

    Examples
    --------
    >>> growths(5, {0: None, 3: 0, 5: 3}), growths(None, {})
    (3, 0)
    """
    count = 0
    while trial is not None:
        count, trial = count + 1, parents[trial]
    return count


def early(
    readings: Sequence[tuple[float, int | None]],
    parents: Mapping[int, int | None],
    until: float = EARLY_SECONDS,
) -> int:
    """Return the growths that were kept until a time: those of the last reading before it.

    Parameters
    ----------
    readings : sequence of (seconds, trial)
    parents : mapping
    until : float
        Seconds.
    """
    before = [(seconds, trial) for seconds, trial in readings if seconds <= until]
    return growths(max(before, key=lambda each: each[0])[1], parents) if before else 0


def descent(available: float, *, trunk: float, decay: float, deciding: float) -> dict[str, float]:
    """Return estimates of the shares of the time that the final network descends from.

    Parameters
    ----------
    available : float
        Seconds of all workers.
    trunk : float
        Of the updates of the trunk and of the growths that were kept.
    decay : float
        Of the decay, whose evaluations and graphs are counted in.
    deciding : float
        Of the candidates that were not kept.
    """
    whole = max(available, trunk + decay + deciding)
    if whole <= 0.0:
        return {}
    return {
        "descent": round((trunk + decay) / whole, 4),
        "deciding": round(deciding / whole, 4),
    }
