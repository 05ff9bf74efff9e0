"""An executor without time: its calls are carried out in a drawn order, with drawn deaths."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from growsearch.execution import WorkerLostError, dispatch

DEATHS = (
    WorkerLostError("its worker died (signal 9, as the kernel does when memory runs out)"),
    BrokenExecutor("a child process terminated abruptly"),
    TimeoutError(),
)


class FirstOfAll(Random):
    """Draws the first of everything, and no death: calls end in the order of their submission."""

    def random(self) -> float:
        """The largest of all draws."""
        return 1.0

    def randrange(self, *_: Any) -> int:
        """The least of all draws."""
        return 0


class VirtualExecutor(Executor):
    """Carries out one of its calls whenever the driver waits for one.

    Parameters
    ----------
    workers : int
    drawn : random.Random
        Draws the call, and the deaths.
    deaths : float
        The share of calls that die, half of them before the call and half of them after it.
    most : int
        The deaths of one job.
    pickled : bool
        Send call and result through pickle, as other processes get them.
    """

    def __init__(
        self,
        workers: int = 1,
        drawn: Random | None = None,
        *,
        deaths: float = 0.0,
        most: int = dispatch.RETRIES,
        pickled: bool = False,
    ) -> None:
        self.workers = workers
        self.shares_memory = not pickled
        self.submitted: list[str] = []  # names of jobs, in their order
        self.largest = 0  # number of calls at once
        self.died: Counter[str] = Counter()
        self._drawn = drawn or FirstOfAll()
        self._deaths = deaths
        self._most = most
        self._pickled = pickled
        self._calls: dict[Future[Any], tuple[Callable[..., Any], tuple[Any, ...]]] = {}

    def submit(self, function: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        """Take a call; it is carried out in a drawn moment."""
        future: Future[Any] = Future()
        self._calls[future] = function, args
        self.submitted.append(args[1].name)
        self.largest = max(self.largest, len(self._calls))
        return future

    def wait(self, futures: set[Future[Any]], **_: Any) -> Any:
        """Finish one of the calls that the driver waits for; as ``concurrent.futures.wait``."""
        known = [future for future in self._calls if future in futures]
        if known:
            self._finish(known[self._drawn.randrange(len(known))])
        return wait_for(futures, timeout=0.0)

    def _finish(self, future: Future[Any]) -> None:
        """Carry out a call, or let its worker die before or after it."""
        function, args = self._calls.pop(future)
        name = args[1].name
        lot = self._drawn.random()
        dies = lot < self._deaths and self.died[name] < self._most
        if not dies or lot < self._deaths / 2:
            if self._pickled:
                args = pickle.loads(pickle.dumps(args))
            result = function(*args)
            if self._pickled:
                result = pickle.loads(pickle.dumps(result))
        if dies:
            self.died[name] += 1
            future.set_exception(DEATHS[self.died.total() % len(DEATHS)])
        else:
            future.set_result(result)


@contextmanager
def virtual(executor: VirtualExecutor) -> Iterator[VirtualExecutor]:
    """The driver's waits are this executor's, in the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatch, "wait", executor.wait)
        yield executor
