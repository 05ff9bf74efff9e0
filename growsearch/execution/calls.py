"""Calls that wait for a worker: the queue, the futures and the shutdown that our executors share.

Calls start in the order of their submission, at most ``workers`` at once. An executor of this
base class says how a call starts on a worker, and how that worker is killed.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from growsearch.checks import whole_number
from growsearch.errors import UnavailableError
from growsearch.execution.executor import WorkerLostError

T = TypeVar("T")
W = TypeVar("W")

_KILL_SECONDS = 10.0  # for a killed worker to be seen dead


@dataclass(eq=False)
class Call:
    """A function with its arguments, and the future that the caller waits for."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    future: Future[Any] = field(default_factory=Future)

    def fail(self, error: BaseException) -> None:
        """End the call with an error."""
        self.future.set_exception(error)

    def cancel(self) -> None:
        """Cancel a call that has not started, and tell who waits for it."""
        self.future.cancel()
        self.future.set_running_or_notify_cancel()


class QueueingExecutor(ABC, Generic[W]):
    """Queues calls for a number of workers; ``W`` is what a subclass knows of a started call.

    Parameters
    ----------
    workers : int
        The number of calls that run at once.
    """

    def __init__(self, workers: int) -> None:
        self.workers = whole_number("workers", workers, 1)
        self._lock = threading.Lock()  # never held while a future is told its result
        self._waiting: deque[Call] = deque()
        self._running: dict[Future[Any], tuple[Call, W]] = {}
        self._stopped: dict[Future[Any], str] = {}
        self._is_shut_down = False

    def submit(self, function: Callable[..., T], /, *args: Any) -> Future[T]:
        """Start a call, now or when a worker is free; return its future.

        Raises
        ------
        RuntimeError
            After ``shutdown``.
        """
        call = Call(function, args)
        with self._lock:
            if self._is_shut_down:
                raise RuntimeError("submit: expected an executor that was not shut down")
            self._waiting.append(call)
        self._start_waiting()
        return call.future

    def stop(self, future: Future[Any]) -> None:
        """Kill the worker that carries out a call; the future ends with ``WorkerLostError``.

        A call that has not started is cancelled; a call that has ended is left as it is.
        """
        self._stop(future, "its worker was stopped")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and end the workers; every future has ended afterwards.

        Parameters
        ----------
        wait : bool
            Wait for the calls that were submitted; else cancel what has not started and kill the
            workers at once. No worker is left when this method returns.
        cancel_futures : bool
            Cancel the calls that have not started.
        """
        with self._lock:
            self._is_shut_down = True
            dropped: list[Call] = []
            if cancel_futures or not wait:
                dropped = list(self._waiting)
                self._waiting.clear()
        for call in dropped:
            call.cancel()
        if wait:
            with self._lock:
                left = [*self._running, *(call.future for call in self._waiting)]
            futures.wait(left)
        else:
            with self._lock:
                left = list(self._running)
            for future in left:
                self._stop(future, "its executor was shut down")
            futures.wait(left, _KILL_SECONDS)
        self._close(wait)
        # An engine that is gone tells of no end: nobody may wait for such a call for ever.
        self._break_off(WorkerLostError("its executor was shut down"))

    @abstractmethod
    def _start(self, call: Call) -> tuple[W, Future[Any]]:
        """Start a call on a free worker; return what is known of it, and the engine's future."""

    @abstractmethod
    def _kill(self, worker: W) -> None:
        """Kill the worker of a call."""

    @abstractmethod
    def _freed(self, worker: W, *, lost: bool) -> None:
        """Take a worker back whose call has ended; a lost one is dead, or will be at once."""

    @abstractmethod
    def _result(self, inner: Future[Any]) -> Any:
        """Return the function's result."""

    @abstractmethod
    def _error(self, worker: W, error: BaseException) -> BaseException:
        """Return the function's error, or ``WorkerLostError`` if the engine's error is none."""

    @abstractmethod
    def _close(self, wait: bool) -> None:
        """End the workers, none of which carries out a call."""

    def _stop(self, future: Future[Any], reason: str) -> None:
        with self._lock:
            waiting = next((call for call in self._waiting if call.future is future), None)
            if waiting is not None:
                self._waiting.remove(waiting)
            elif future in self._running:
                self._stopped[future] = reason
                self._kill(self._running[future][1])
        if waiting is not None:
            waiting.cancel()

    def _break_off(self, error: Exception) -> None:
        """Take no more calls, and end those that are there with an error: the engine is gone."""
        with self._lock:
            self._is_shut_down = True
            left = [*(call for call, _ in self._running.values()), *self._waiting]
            self._running.clear()
            self._waiting.clear()
        for call in left:
            if call.future.running() or call.future.set_running_or_notify_cancel():
                call.fail(error)

    def _start_waiting(self) -> None:
        """Start calls while there are some, and free workers."""
        while True:
            with self._lock:
                if not self._waiting or len(self._running) >= self.workers:
                    return
                call = self._waiting.popleft()
                if not call.future.set_running_or_notify_cancel():
                    continue
                try:
                    worker, inner = self._start(call)
                except OSError as error:  # no process, no memory, no file: no fault of the call
                    failed: Exception | None = UnavailableError(
                        f"no worker can be started ({error}); everything finished is stored: run "
                        "the same command again to continue"
                    )
                except Exception as error:
                    failed = error
                else:
                    failed = None
                    self._running[call.future] = (call, worker)
            if failed is not None:
                call.fail(failed)
            else:
                inner.add_done_callback(partial(self._ended, call))

    def _ended(self, call: Call, inner: Future[Any]) -> None:
        """Take a call's worker back, start the next call, and hand the outcome on."""
        error = inner.exception()
        with self._lock:
            found = self._running.pop(call.future, None)
            if found is None:  # given up by ``shutdown``
                return
            worker = found[1]
            reason = self._stopped.pop(call.future, None)
            if error is not None:
                error = WorkerLostError(reason) if reason else self._error(worker, error)
            self._freed(worker, lost=bool(reason) or isinstance(error, WorkerLostError))
        self._start_waiting()
        if error is None:
            try:
                result = self._result(inner)
            except Exception as unreadable:
                error = unreadable
        if error is not None:
            call.fail(error)
        else:
            call.future.set_result(result)
