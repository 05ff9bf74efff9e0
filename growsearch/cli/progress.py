"""The options that say how a search is shown while it runs: --quiet, --plain, --json-lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol

import click

from growsearch.cli import output
from growsearch.errors import InvalidInputError

if TYPE_CHECKING:
    from growsearch.driver.events import Event
    from growsearch.study.result import SearchResult

_OPTIONS = (
    click.option("--quiet", is_flag=True, help="Show no progress; the result is printed."),
    click.option(
        "--plain",
        is_flag=True,
        help="Show progress as lines only, as where the output is no terminal.",
    ),
    click.option(
        "--json-lines",
        is_flag=True,
        help="Print each event as a line of JSON, the result as the last one; docs/events.md "
        "describes them.",
    ),
    click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print the result as JSON; progress goes to standard error.",
    ),
)


def how_to_show(command: Callable[..., object]) -> Callable[..., object]:
    """Give a command the options of this module; its function gets their values as ``shown``."""

    @wraps(command)
    def with_shown(
        *arguments: Any, quiet: bool, plain: bool, json_lines: bool, as_json: bool, **values: Any
    ) -> object:
        return command(*arguments, shown=Shown(quiet, plain, json_lines, as_json), **values)

    result: Callable[..., object] = with_shown
    for option in reversed(_OPTIONS):
        result = option(result)
    return result


class Listener(Protocol):
    """The receiver of a search's events, and then of its result."""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        ...

    def finish(self, result: SearchResult) -> None:
        """Take the result."""
        ...


@dataclass(frozen=True)
class Shown:
    """The output that was asked for on the command line.

    Parameters
    ----------
    quiet, plain, json_lines, as_json : bool

    Raises
    ------
    InvalidInputError
        When two options contradict each other.
    """

    quiet: bool
    plain: bool
    json_lines: bool
    as_json: bool

    def __post_init__(self) -> None:
        modes = {"--quiet": self.quiet, "--plain": self.plain, "--json-lines": self.json_lines}
        asked = [name for name, is_asked in modes.items() if is_asked]
        if len(asked) > 1:
            raise InvalidInputError(
                f"expected one of {', '.join(modes)}, got {' and '.join(asked)}"
            )
        if self.json_lines and self.as_json:
            raise InvalidInputError(
                "--json-lines: expected no --json with it: its last line is the result"
            )

    def announce(self, *, in_process: bool) -> None:
        """Print on a terminal what is being loaded or started, unless it is to be quiet."""
        if not (self.quiet or self.json_lines):
            output.announce(as_json=self.as_json, in_process=in_process)

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        """Show progress for the block; yield what takes the events and the result."""
        if self.json_lines:
            from growsearch.reports.event_lines import EventLines

            yield EventLines(click.echo)
            return
        if self.quiet:
            yield _Printed(lambda _: None, self.as_json)
            return
        from rich.console import Console

        from growsearch.reports.progress import RunDisplay

        with RunDisplay(Console(stderr=self.as_json), is_plain=self.plain) as display:
            yield _Printed(display, self.as_json)


class _Printed:
    """Passes events on to a display, and prints the result."""

    def __init__(self, display: Callable[[Any], None], as_json: bool) -> None:
        self._display, self._as_json = display, as_json

    def __call__(self, event: Event) -> None:
        self._display(event)

    def finish(self, result: SearchResult) -> None:
        output.print_result(result, as_json=self._as_json, with_trials=False)
