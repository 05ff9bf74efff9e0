"""The protocol of executors: between the driver and the place where jobs run."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

from growsearch.trials.bench import Bench, Job, OnPoint

T = TypeVar("T")


class Executor(Protocol):
    """Carries out jobs; passes ``growsearch.testing.ExecutorContract``.

    What a job is to blame for is a part of its outcome. So an exception from a future is a fault of
    the program, of the machine or of the executor.
    """

    def submit(self, job: Job[T]) -> Future[T]:
        """Start a job, now or when a worker is free; return the future of its outcome.

        Raises
        ------
        RuntimeError
            After ``shutdown``.
        """
        ...

    def shutdown(self) -> None:
        """Release what the executor holds; jobs that run are waited for."""
        ...


# From the bench and the callback for the points of a training's curve to an executor.
ExecutorFactory = Callable[[Bench, OnPoint], Executor]
