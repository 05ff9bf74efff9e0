"""Work of several jobs, each of which may follow from the outcome of the one before."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from typing import Any

from growsearch.errors import TrainingFailedError
from growsearch.execution.dispatch import Dispatcher
from growsearch.trials.worker import Crash, Job

# Yields a job with its phase, and is sent the outcome.
Work = Generator[tuple[Job[Any], str], Any, None]


def carry_out_together(dispatcher: Dispatcher, works: Sequence[Work]) -> None:
    """Carry out several works side by side, one job of each at a time.

    Where workers are few, a job of an earlier work in the sequence goes first. An error of the
    program or of the machine is raised in the work whose job met it. The error of a training that
    could not end is raised when the other works have ended: no job of theirs is left.
    """
    waiting: deque[tuple[int, Job[Any], str]] = deque()
    failures: list[TrainingFailedError] = []

    def go_on(place: int, outcome: Any) -> None:
        work = works[place]
        try:
            is_crash = isinstance(outcome, Crash)
            job, phase = work.throw(outcome.raised()) if is_crash else work.send(outcome)
        except StopIteration:
            return
        except TrainingFailedError as error:
            failures.append(error)
            return
        waiting.append((place, job, phase))

    for place in range(len(works)):
        go_on(place, None)
    while True:
        for each in sorted(waiting, key=lambda each: each[0])[: max(dispatcher.free, 0)]:
            waiting.remove(each)
            place, job, phase = each
            dispatcher.send(place, job, phase)
        if dispatcher.is_idle:
            break
        for place, outcome in dispatcher.finished():
            go_on(place, outcome)
    if failures:
        raise failures[0]
