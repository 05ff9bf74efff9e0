"""The time of a run: seconds spent by phase, and seconds that the budget leaves."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

PHASES = ("teacher", "candidates", "controls", "polish", "test", "other")


class Clock:
    """Measures the phases of a run, including those of its earlier sessions.

    Parameters
    ----------
    budget : float or None
        Seconds of the whole run; None is no limit.
    began : float
        When this session began, by ``time.monotonic``.
    before : mapping
        Phase -> seconds of the earlier sessions.

    Examples
    --------
    >>> clock = Clock(100.0, time.monotonic(), {"teacher": 30.0, "other": 10.0})
    >>> with clock.on("candidates"):
    ...     pass
    >>> round(clock.left), round(clock.spent()["teacher"])
    (60, 30)
    """

    def __init__(self, budget: float | None, began: float, before: Mapping[str, float]) -> None:
        self.budget = budget
        self._began = began
        self._before = {phase: float(before.get(phase, 0.0)) for phase in PHASES}
        self._now = dict.fromkeys(PHASES, 0.0)
        self._running: tuple[str, float] | None = None

    @contextmanager
    def on(self, phase: str) -> Iterator[None]:
        """Count the block's time into a phase; phases do not contain each other."""
        self._running = phase, time.monotonic()
        try:
            yield
        finally:
            self._now = self._counted()
            self._running = None

    def _counted(self) -> dict[str, float]:
        """Return the seconds of this session by phase, including the running phase."""
        if self._running is None:
            return self._now
        phase, began = self._running
        return self._now | {phase: self._now[phase] + time.monotonic() - began}

    @property
    def passed(self) -> float:
        """Seconds of the whole run so far."""
        return time.monotonic() - self._began + sum(self._before.values())

    @property
    def left(self) -> float:
        """Seconds that the budget leaves; infinite without one."""
        return float("inf") if self.budget is None else self.budget - self.passed

    def spent(self) -> dict[str, float]:
        """Return the seconds of the whole run by phase; "other" is the time outside all phases."""
        now = self._counted() | {"other": 0.0}
        now["other"] = time.monotonic() - self._began - sum(now.values())
        return {phase: round(self._before[phase] + now[phase], 3) for phase in PHASES}
