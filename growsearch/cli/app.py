"""The command growsearch: its commands, its exit statuses, and how errors become one line."""

from __future__ import annotations

import io
import shlex
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

from growsearch import __version__
from growsearch.cli.reproduce import reproduce
from growsearch.cli.results import compare, dashboard, show
from growsearch.cli.search import run
from growsearch.cli.spaces import spaces
from growsearch.cli.upkeep import gc, verify
from growsearch.errors import DamagedRunError, GrowsearchError, without_password

DONE, BAD_INPUT, DAMAGED, INTERRUPTED = 0, 2, 3, 130  # exit statuses; 130 is a shell's for Ctrl-C


@click.group(
    commands=[run, show, compare, dashboard, verify, gc, spaces, reproduce],
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="growsearch")
def app() -> None:
    """Architecture search that grows networks instead of training each from scratch."""


def main(arguments: list[str] | None = None, call: Callable[..., Any] = app) -> int:
    """Run a command and return its exit status.

    2 for bad input, 3 for a damaged run, 130 when interrupted.
    """
    previous = signal.signal(signal.SIGTERM, _terminated)
    try:
        call(arguments, standalone_mode=False, prog_name="growsearch")
    except click.exceptions.NoArgsIsHelpError as shown:
        click.echo(shown.format_message())
        return BAD_INPUT
    except click.ClickException as error:
        click.echo(f"growsearch: {' '.join(error.format_message().split())}", err=True)
        return BAD_INPUT
    except GrowsearchError as error:
        click.echo(f"growsearch: {' '.join(str(error).split())}", err=True)
        return DAMAGED if isinstance(error, DamagedRunError) else BAD_INPUT
    except (KeyboardInterrupt, click.Abort) as error:
        # A command may say what is stored; click raises its own error from that one.
        stored = str(error.__cause__ or error) or "Everything finished is stored"
        click.echo(f"Interrupted. {stored}; to continue:\n  {_same_command()}", err=True)
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, previous)
    return DONE


def entry() -> NoReturn:
    """Start the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # the arrows, where the encoding has none
    sys.exit(main())


def _terminated(_signal: int, _frame: object) -> NoReturn:
    """Let SIGTERM end a run as Ctrl-C does: the trial in progress is given back to the study."""
    raise KeyboardInterrupt


def _same_command() -> str:
    """Return the command that was typed, quoted for a shell and without passwords."""
    return shlex.join(["growsearch", *map(without_password, sys.argv[1:])])
