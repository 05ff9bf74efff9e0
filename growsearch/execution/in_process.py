"""The executor of this process: one job at a time, finished when ``submit`` returns."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TypeVar

from growsearch.trials.worker import Job, OnPoint, WorkerContext

T = TypeVar("T")


class InProcessExecutor:
    """Carries out each job in the caller's thread; satisfies ``Executor``.

    Parameters
    ----------
    context : WorkerContext
    on_point : callable
        Called with the job and each point of a training's curve; a true result ends the training
        there.
    """

    def __init__(self, context: WorkerContext, on_point: OnPoint) -> None:
        self._context = context
        self._on_point = on_point
        self._is_shut_down = False

    @property
    def workers(self) -> int:
        """The number of jobs that run at once."""
        return 1

    def submit(self, job: Job[T]) -> Future[T]:
        """Carry out a job; Ctrl-C passes through, every other exception is the future's."""
        if self._is_shut_down:
            raise RuntimeError(f"{job.name}: expected an executor that was not shut down")
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        try:
            outcome = job.carry_out(self._context, self._on_point)
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(outcome)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more jobs; none is running."""
        del wait, cancel_futures
        self._is_shut_down = True
