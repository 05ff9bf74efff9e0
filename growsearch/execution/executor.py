"""The protocol of executors: between the driver and the place where jobs run."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar, runtime_checkable

T = TypeVar("T")


class WorkerLostError(Exception):
    """A worker died, was stopped, or its machine was lost; the text says how."""


class Executor(Protocol):
    """The part of ``concurrent.futures.Executor`` that every engine has.

    Its futures' exceptions are the engine's own: a worker died, a node was lost, a value could not
    be pickled. The driver repeats such a call. An executor never repeats one by itself.

    An executor may have an attribute ``workers``, the number of calls that run at once.
    """

    def submit(self, function: Callable[..., T], /, *args: Any) -> Future[T]:
        """Start a call, now or when a worker is free; return the future of its result.

        Raises
        ------
        RuntimeError
            After ``shutdown``, or when the executor is broken.
        """
        ...

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Release what the executor holds.

        Parameters
        ----------
        wait : bool
            Wait for the calls that run.
        cancel_futures : bool
            Cancel the calls that have not begun.
        """
        ...


@runtime_checkable
class Stops(Protocol):
    """The ability of an executor to kill what carries out a call."""

    def stop(self, future: Future[Any]) -> None:
        """Kill the worker of a future's call; the future ends with an exception."""
        ...


@runtime_checkable
class NamesWhatLacks(Protocol):
    """The ability of an executor to say why no worker takes a call."""

    def lacks(self) -> str | None:
        """Return what the cluster has against what a worker asks for; None if all is there."""
        ...
