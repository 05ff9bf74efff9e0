"""The protocol of executors: between the driver and the place where jobs run."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar, runtime_checkable

from growsearch.trials.worker import Job, OnPoint, WorkerContext

T = TypeVar("T")


class Executor(Protocol):
    """Carries out jobs; passes ``growsearch.testing.ExecutorContract``.

    A training that cannot end is a failure in its outcome. So an exception from a future is a fault
    of the program, of the machine or of the executor.
    """

    @property
    def workers(self) -> int:
        """The number of jobs that run at once."""
        ...

    def submit(self, job: Job[T]) -> Future[T]:
        """Start a job, now or when a worker is free; return the future of its outcome.

        Raises
        ------
        RuntimeError
            After ``shutdown``.
        """
        ...

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Release what the executor holds, as ``concurrent.futures`` has it.

        Parameters
        ----------
        wait : bool
            Wait for the jobs that run; else end them, since their outcomes are not wanted.
        cancel_futures : bool
            Cancel the jobs that have not begun.
        """
        ...


@runtime_checkable
class Stops(Protocol):
    """An ability that some executors have: to kill what carries out a call."""

    def stop(self, future: Future[Any]) -> None:
        """Kill the worker of a call; its future ends with an exception."""
        ...


class WorkerLostError(Exception):
    """The worker of a call died or was stopped; the text says how, in words."""


# From a worker's context and the callback for the points of a training's curve to an executor.
ExecutorFactory = Callable[[WorkerContext, OnPoint], Executor]
