"""The output of commands: results, JSON, paths of plots, warnings; nothing of other libraries."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from growsearch.errors import DamagedRunError, RunError

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from growsearch.study.result import SearchResult


# The images of a confusion matrix -> in words.
_IMAGES = {"test": "the test images", "held_out": "the held-out validation images"}


def print_json(value: dict[str, Any]) -> None:
    """Print a value as JSON.

    Raises
    ------
    DamagedRunError
        When the value holds NaN or infinity, which JSON does not have.
    """
    try:
        text = json.dumps(value, indent=2, allow_nan=False)
    except ValueError:  # Python would write NaN and Infinity, which no other reader takes
        raise DamagedRunError("the result: expected finite numbers, got NaN or infinity") from None
    click.echo(text)


def print_plot(console: Console, save: Callable[[], Path]) -> None:
    """Save a plot and print its path; print the reason where it cannot be saved."""
    try:
        text = f"plot: {save()}"
    except RunError as error:
        text = f"no plot: {error}"
    console.print(text, soft_wrap=True, markup=False, highlight=False)


def print_result(result: SearchResult, *, as_json: bool, with_trials: bool) -> None:
    """Print the summary of a run and its confusion matrix; or JSON.

    Where the trials are wanted too, their table comes first, and there is a second matrix, on the
    held-out images.
    """
    from growsearch.reports import anytime, campaigns, confusion, front
    from growsearch.reports import trials as report

    if as_json:
        print_json(result.to_json())
        return
    course = result.anytime
    if with_trials and course is None:
        click.echo("\n".join(report.table(result.trials, result.metric)))
    elif with_trials and course is not None:
        rows = campaigns.table(result.trials, in_seconds=course.in_seconds, metric=result.metric)
        click.echo("\n".join(rows))
    click.echo()
    if result.stand_in:
        click.echo("\n".join(report.stand_in_notice()))
    if course is not None and course.rows:
        click.echo("\n".join(anytime.curve(result, course)))
        click.echo()
    if result.demand is not None and result.front:
        click.echo("\n".join(front.front_table(result.front, result.demand, result.metric)))
        click.echo()
    summary = report.summary(result)
    width = max(20, *(len(name) + 1 for name, _ in summary))
    for name, value in summary:
        click.echo(f"{name:<{width}}{value}")
    for on in ("held_out", "test") if with_trials else ("test",):
        if on in result.confusions:
            click.echo()
            click.echo("\n".join(confusion.lines(result.confusions[on], _IMAGES[on])))


def announce(*, as_json: bool, in_process: bool = True) -> None:
    """Print on a terminal, before the first seconds, what is being loaded or started."""
    loaded = "Loading TensorFlow and Optuna" if in_process else "Loading Optuna, starting workers"
    if (sys.stderr if as_json else sys.stdout).isatty():
        click.echo(f"{loaded}, which takes some seconds", err=as_json)


def quiet() -> None:
    """Hide the log lines and warnings of other libraries; their errors stay.

    A warning about a damaged network, the database or a tracker is printed, as one line and once.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    from growsearch.study.logs import hide_logs
    from growsearch.study.networks import DamagedNetworkWarning
    from growsearch.study.patience import StorageWarning
    from growsearch.tracking import TrackingWarning

    hide_logs()
    warnings.simplefilter("ignore")
    for shown in (DamagedNetworkWarning, StorageWarning, TrackingWarning):
        warnings.simplefilter("always", shown)
    printed: set[str] = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        # A run reads its incumbent often. Python's own "once" prints a warning again after each
        # change of the filters.
        if str(message) not in printed:
            printed.add(str(message))
            click.echo(f"growsearch: warning: {message}", err=True)

    warnings.showwarning = show
