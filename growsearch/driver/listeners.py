"""Callbacks that also hear the events of a search, and take its result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol, runtime_checkable

from growsearch.driver.events import Event, OnEvent
from growsearch.study.result import SearchResult


@runtime_checkable
class Listener(Protocol):
    """A callback that hears the events too; those of ``growsearch.tracking`` are some."""

    def on_event(self, event: Event) -> None:
        """Take one event."""
        ...

    def finish(self, result: SearchResult | None) -> None:
        """Take the result; None where the search was interrupted, or ended with an error."""
        ...


class Listeners:
    """The listeners of one search.

    Parameters
    ----------
    callbacks : sequence
        Those that are no listeners are left out.
    on_event : callable or None
        The caller's own.
    """

    def __init__(self, callbacks: Sequence[Any], on_event: OnEvent | None) -> None:
        self._listeners = [each for each in callbacks if isinstance(each, Listener)]
        self._on_event = on_event

    def tell(self, event: Event) -> None:
        """Tell all of them an event."""
        if self._on_event is not None:
            self._on_event(event)
        for each in self._listeners:
            each.on_event(event)

    def finish(self, result: SearchResult) -> None:
        """Give all of them the result."""
        for each in self._listeners:
            each.finish(result)

    @contextmanager
    def informed(self) -> Iterator[None]:
        """Tell all of them that the search ends where an error leaves the block."""
        try:
            yield
        except BaseException:
            for each in self._listeners:
                with suppress(Exception):  # the error of the search is the one to be seen
                    each.finish(None)
            raise
