"""The command growsearch: its commands, its exit statuses, and how errors become one line.

The exit statuses:

=== ============================================================================================
0   done
1   something is wrong with the installation: growsearch doctor
2   bad input, or a place that cannot be written to
3   a damaged run: its study or a network that it needs is not what growsearch wrote
75  the database or the cluster does not answer: the same command, later, goes on with the run
130 Ctrl-C
141 the reader of a pipe has left, as a shell reports it
143 SIGTERM
=== ============================================================================================
"""

from __future__ import annotations

import errno
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Any, NoReturn

import click

from growsearch import __version__
from growsearch.cli import streams
from growsearch.cli.continuing import continue_run
from growsearch.cli.doctor import doctor
from growsearch.cli.export import export
from growsearch.cli.report import report
from growsearch.cli.reproduce import reproduce
from growsearch.cli.results import compare, dashboard, runs, show
from growsearch.cli.search import run
from growsearch.cli.spaces import spaces
from growsearch.cli.surgery import grow, sites
from growsearch.cli.upkeep import gc, verify
from growsearch.errors import DamagedRunError, GrowsearchError, UnavailableError, without_password

DONE, BAD_INPUT, DAMAGED, UNAVAILABLE = 0, 2, 3, 75
INTERRUPTED, PIPE_CLOSED, TERMINATED = (
    128 + number for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM)
)

_AGAIN = 0.05  # seconds: a finalizer is over by then


@click.group(
    commands=[
        *(run, runs, show, compare, report, dashboard, verify, gc, spaces, reproduce, doctor),
        *(continue_run, grow, sites, export),
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 2 bad input, 3 damaged run, 75 database or cluster gone (run the "
    "same command again), 130 Ctrl-C, 143 SIGTERM.",
)
@click.version_option(__version__, prog_name="growsearch")
def app() -> None:
    """Architecture search that grows networks instead of training each from scratch."""


def main(arguments: list[str] | None = None, call: Callable[..., Any] = app) -> int:
    """Run a command and return its exit status."""
    signals: list[int] = []

    def terminated(number: int, _frame: object) -> NoReturn:
        # SIGTERM ends a run as Ctrl-C does.
        signals.append(number)
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, terminated)
    try:
        with _sent_again(signals):
            status = _status(arguments, call)
        sys.stdout.flush()  # what was printed may have been kept back until now
    except (OSError, SystemExit):  # click and rich exit where the reader of a pipe has left
        if (failure := streams.failure()) is None:
            raise
        status = _unwritten(failure)
    finally:
        signal.signal(signal.SIGTERM, previous)
    return TERMINATED if signals and status == INTERRUPTED else status


@contextmanager
def _sent_again(signals: list[int]) -> Iterator[None]:
    """Send a signal again whose KeyboardInterrupt was lost: Python drops one in a finalizer."""
    previous, timers = sys.unraisablehook, list[Timer]()

    def lost(found: Any) -> None:
        if found.exc_type is not KeyboardInterrupt:
            previous(found)
            return
        number = signals[-1] if signals else signal.SIGINT
        timers.append(Timer(_AGAIN, os.kill, (os.getpid(), number)))
        timers[-1].start()

    sys.unraisablehook = lost
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
        sys.unraisablehook = previous


def _status(arguments: list[str] | None, call: Callable[..., Any]) -> int:
    """Run a command, print its error in one line, and return its exit status."""
    try:
        ended = call(arguments, standalone_mode=False, prog_name="growsearch")
    except click.exceptions.NoArgsIsHelpError as shown:
        click.echo(shown.format_message())
        return BAD_INPUT
    except click.ClickException as error:
        return _refused(error.format_message(), BAD_INPUT)
    except GrowsearchError as error:
        if (failure := streams.failure()) is not None:
            raise failure from None  # the reason of this error, which may look like a full disk's
        statuses = {DamagedRunError: DAMAGED, UnavailableError: UNAVAILABLE}
        found = [status for kind, status in statuses.items() if isinstance(error, kind)]
        return _refused(str(error), *(found or [BAD_INPUT]))
    except (KeyboardInterrupt, click.Abort) as error:
        # A command may say what is stored; click raises its own error from that one.
        stored = str(error.__cause__ or error) or "Everything finished is stored"
        click.echo(f"Interrupted. {stored}; to continue:\n  {_same_command()}", err=True)
        return INTERRUPTED
    return ended if isinstance(ended, int) else DONE  # of click.Context.exit


def _refused(message: str, status: int) -> int:
    """Print an error in one line, where it can be written; return the status."""
    with suppress(OSError):
        click.echo(f"growsearch: {' '.join(message.split())}", err=True)
    return status


def _unwritten(failure: OSError) -> int:
    """Say that the output cannot be written, unless its reader has left; return the status."""
    streams.silence()
    if failure.errno == errno.EPIPE:
        return PIPE_CLOSED
    return _refused(f"the output cannot be written: {failure.strerror}", BAD_INPUT)


def entry() -> NoReturn:
    """Start the console script."""
    streams.watch()
    sys.exit(main())


def _same_command() -> str:
    """Return the command that was typed, quoted for a shell and without passwords."""
    return shlex.join(["growsearch", *map(without_password, sys.argv[1:])])
