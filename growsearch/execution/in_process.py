"""The executor of this process: one call at a time, finished when ``submit`` returns."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor as FuturesExecutor
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class InProcessExecutor(FuturesExecutor):
    """Carries out each call in the caller's thread; for tests, notebooks and debuggers."""

    workers = 1
    shares_memory = True

    def __init__(self) -> None:
        self._is_shut_down = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **options: Any) -> Future[T]:
        """Carry out a call; Ctrl-C passes through, every other exception is the future's."""
        if self._is_shut_down:
            raise RuntimeError("submit: expected an executor that was not shut down")
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        try:
            result = fn(*args, **options)
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; none is running."""
        del wait, cancel_futures
        self._is_shut_down = True
