"""The use of the workers: how long they were at jobs, of the time that they were there."""

from __future__ import annotations

import time

from optuna.study import Study

from growsearch.execution.dispatch import Dispatcher
from growsearch.study.attributes import WorkersAttribute


class Use:
    """Measures how busy the workers of a run are, in earlier sessions too.

    Parameters
    ----------
    before : WorkersAttribute or None
        Of the earlier sessions.
    dispatcher : Dispatcher
    processes : int
        Workers in other processes; 0 is the driver's own process.
    """

    def __init__(
        self, before: WorkersAttribute | None, dispatcher: Dispatcher, processes: int
    ) -> None:
        self._before = before or WorkersAttribute()
        self._dispatcher = dispatcher
        self._processes = processes
        self._began = time.monotonic()

    def write(self, study: Study) -> None:
        """Store the use of all sessions so far, if this one had a job."""
        if not self._dispatcher.busy_seconds:
            return
        available = (time.monotonic() - self._began) * self._dispatcher.workers
        WorkersAttribute(
            count=self._processes,
            busy=round(self._before.busy + self._dispatcher.busy_seconds, 3),
            available=round(self._before.available + available, 3),
        ).write(study)
