"""The window of a search: candidates finished in any order, judged in order.

Up to K candidates are pending. The oldest is judged first, and the work of the oldest trial is sent
first: its controls before the candidates that were asked for since. So a run does not depend on
how many workers there are, or on how fast each is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from growsearch.driver.candidates import Pending
from growsearch.driver.controls import ControlTask


@dataclass
class Told:
    """A trial that is judged and told, until its controls are finished.

    Parameters
    ----------
    number : int
    controls : list of ControlTask
        Those that are not finished.
    began : float
        The time of the run when the trial was asked for, in seconds.
    """

    number: int
    controls: list[ControlTask]
    began: float


Task = Pending | ControlTask


@dataclass
class Window:
    """The trials in progress.

    Parameters
    ----------
    size : int
        The number of candidates that may be pending: K.
    """

    size: int
    _pending: deque[Pending] = field(default_factory=deque)
    _told: deque[Told] = field(default_factory=deque)

    @property
    def has_room(self) -> bool:
        """True if another candidate may be asked for."""
        return len(self._pending) < self.size

    @property
    def unsent(self) -> Iterator[Task]:
        """The tasks that wait for a worker, the oldest trial's first."""
        controls = (control for told in self._told for control in told.controls)
        tasks: list[Task] = [*controls, *self._pending]
        return (task for task in tasks if not task.is_sent)

    def add(self, candidate: Pending) -> None:
        """Add a candidate, the youngest."""
        self._pending.append(candidate)

    def tell(self, number: int, controls: list[ControlTask], began: float) -> None:
        """Add a trial that was told, with the controls that it lacks."""
        self._told.append(Told(number, controls, began))

    def end(self, control: ControlTask) -> None:
        """Remove a control that is stored."""
        for told in self._told:
            if control in told.controls:
                told.controls.remove(control)

    @property
    def is_judgeable(self) -> bool:
        """True if the outcome of the oldest candidate is there."""
        return bool(self._pending) and self._pending[0].outcome is not None

    def next_to_judge(self) -> Pending | None:
        """Remove and return the oldest candidate, if its outcome is there; else None."""
        return self._pending.popleft() if self.is_judgeable else None

    def next_to_finish(self) -> Told | None:
        """Remove and return the oldest told trial, if it has all its controls; else None."""
        if self._told and not self._told[0].controls:
            return self._told.popleft()
        return None
