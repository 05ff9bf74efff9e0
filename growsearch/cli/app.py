"""The command line: parse, call the library, print."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import shlex
import signal
import sys
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click

from growsearch import __version__
from growsearch.errors import GrowsearchError, RunError, without_password

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from growsearch.study.result import SearchResult

_BEGAN = time.monotonic()  # a time budget begins with the process
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?|(\d+(?:\.\d+)?)")


class Duration(click.ParamType[float]):
    """A time span such as 90s, 10m or 1h30m, in seconds; a number alone is seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds from text."""
        match = _DURATION.fullmatch(str(value).strip())
        parts = [float(part or 0) for part in match.groups()] if match else []
        total = sum(part * unit for part, unit in zip(parts, (3600, 60, 1, 1), strict=False))
        if not 0 < total < float("inf"):
            self.fail(f"expected a time span such as 90s, 10m or 1h30m, got {value!r}", param, ctx)
        return total


_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_data = click.option(
    "--data",
    metavar="PATH",
    help="MNIST: a folder with its IDX files, or an .npz. By default $GROWSEARCH_DATA, else the "
    "cache, else a download.",
)
_storage = click.option(
    "--storage",
    metavar="URL",
    help="Optuna storage of the run, such as postgresql+psycopg://user@host/name; SQLite in the "
    "run folder by default.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="growsearch")
def app() -> None:
    """Architecture search that grows networks instead of training each from scratch."""


@app.command()
@click.argument("space", default="mnist")
@click.option("--trials", type=click.IntRange(min=0), help="Trials in all, earlier ones included.")
@click.option(
    "--time-budget", type=Duration(), metavar="SPAN", help="Time for the whole run: 90s, 10m."
)
@click.option("--out", metavar="DIR", help="Run folder; runs/SPACE by default.")
@_storage
@_data
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of everything random.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a value of the search space: training.steps=100. Repeatable.",
)
@click.option(
    "--arms",
    metavar="LIST",
    help="Control arms, each with the fraction of the trials it runs on: random,scratch:0.5. "
    "Arms: random, scratch, scratch_compute, continued; none for no controls.",
)
@click.option(
    "--control-seeds",
    type=click.IntRange(1, 1000),
    metavar="K",
    help="Repeat candidate and controls with K seeds in all.",
)
@click.option(
    "--control-tuned",
    type=click.IntRange(1, 15),
    metavar="N",
    help="Give each control the best of N learning rates.",
)
@_json
def run(
    space: str,
    arms: str | None,
    control_seeds: int | None,
    control_tuned: int | None,
    trials: int | None,
    time_budget: float | None,
    out: str | None,
    storage: str | None,
    data: str | None,
    seed: int | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Grow the best network of SPACE, a shipped name or a TOML file.

    The same command continues an interrupted run.
    """
    from growsearch.space import SearchSpace

    overrides += _control_overrides(arms, control_seeds, control_tuned)
    loaded = SearchSpace.load(space, overrides, options=_CONTROL_OPTIONS)
    _announce(as_json=as_json)
    _quiet()
    from rich.console import Console

    from growsearch.api import search
    from growsearch.reports.progress import RunDisplay

    with RunDisplay(Console(stderr=as_json)) as display:
        result = search(
            loaded,
            trials=trials,
            time_budget=time_budget,
            out=out,
            storage=storage,
            data=data,
            seed=seed,
            on_event=display,
            began=_BEGAN,
        )
    _print_result(result, as_json=as_json, with_trials=False)


@app.command()
@click.argument("folder", metavar="DIR")
@_storage
@_json
def show(folder: str, storage: str | None, as_json: bool) -> None:
    """Show what the run in DIR has found so far; changes nothing."""
    _quiet()
    from growsearch.study.result import load_result

    _print_result(load_result(folder, storage=storage), as_json=as_json, with_trials=True)


@app.command()
@click.argument("folder", metavar="DIR")
@_storage
@_json
def compare(folder: str, storage: str | None, as_json: bool) -> None:
    """Compare the candidates of the run in DIR with their controls.

    Differences in pairs with intervals and tests, overall and by operation, how soon each arm gets
    where, and a picture in DIR.
    """
    _quiet()
    from rich.console import Console

    from growsearch.reports import evidence as report
    from growsearch.reports.evidence_plot import save_plot
    from growsearch.study.result import load_result

    result = load_result(folder, storage=storage)
    evidence = result.evidence()
    if as_json:
        _print_json(evidence.to_json())
        return
    console = Console()
    console.print(report.report(evidence))
    if any(each.accuracy.n for each in evidence.overall):
        _print_plot(console, lambda: save_plot(result.trials, evidence, folder))


@app.command()
@click.option("--iterations", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True)
@_data
@click.option("--out", metavar="DIR", default="runs/reproduce", show_default=True)
@_json
def reproduce(iterations: int, seeds: int, data: str | None, out: str, as_json: bool) -> None:
    """Repeat the five experiments of the original Net2Net repository.

    Accuracies are of the test images, as the original's were.
    """
    _announce(as_json=as_json)
    _quiet()
    from rich.console import Console

    from growsearch.reports import reproduction as report
    from growsearch.reports.progress import ReproductionDisplay
    from growsearch.reports.reproduction_plot import save_plot
    from growsearch.reproduction.run import reproduce as run_experiments

    console = Console(stderr=as_json)
    try:
        with ReproductionDisplay(console) as display:
            found = run_experiments(
                iterations=iterations, seeds=seeds, data=data, out=out, on_progress=display
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("Finished seeds are stored, the one in progress is not") from None
    if as_json:
        _print_json(report.to_json(found))
    else:
        console.print(report.report(found))
    _print_plot(console, lambda: save_plot(found, out))


@app.command()
@click.argument("name", required=False)
def spaces(name: str | None) -> None:
    """List the shipped search spaces, or print the one called NAME."""
    from growsearch.space import SearchSpace, read_shipped

    if name is not None:
        click.echo(read_shipped(name), nl=False)
        return
    for each in SearchSpace.shipped():
        first = read_shipped(each).splitlines()[0].lstrip("# ")
        click.echo(f"{each:<16}{first}")


@app.command()
@click.argument("folder", metavar="DIR")
@_storage
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True)
def dashboard(folder: str, storage: str | None, port: int) -> None:
    """Open the Optuna dashboard on the run in DIR, for this machine only."""
    _quiet()
    from growsearch.study.dashboard import serve

    def announce(address: str) -> None:
        click.echo(f"Optuna dashboard of {folder}: {address} (Ctrl-C ends it)")

    serve(folder, storage=storage, port=port, announce=announce)


_CONTROL_OPTIONS = {
    "controls.arms": "--arms",
    "controls.seeds": "--control-seeds",
    "controls.tuned": "--control-tuned",
}


def _control_overrides(arms: str | None, seeds: int | None, tuned: int | None) -> tuple[str, ...]:
    """The controls' options as changes of the search space."""
    overrides = []
    if arms is not None:
        named = [] if arms.strip() in ("", "none") else arms.split(",")
        fractions: dict[str, float] = {}
        for each in named:
            arm, colon, share = each.strip().partition(":")
            try:
                fractions[arm] = float(share) if colon else 1.0
            except ValueError:
                raise click.BadParameter(
                    f"expected fractions such as random:0.5, got {each!r}", param_hint="--arms"
                ) from None
        if len(fractions) < len(named):
            raise click.BadParameter(f"expected each arm once, got {arms!r}", param_hint="--arms")
        table = ", ".join(f"{json.dumps(arm)} = {share}" for arm, share in fractions.items())
        overrides.append(f"controls.arms={{{table}}}")
    overrides += [f"controls.seeds={seeds}"] if seeds is not None else []
    overrides += [f"controls.tuned={tuned}"] if tuned is not None else []
    return tuple(overrides)


def _print_json(value: dict[str, Any]) -> None:
    try:
        text = json.dumps(value, indent=2, allow_nan=False)
    except ValueError:  # Python would write NaN and Infinity, which no other reader takes
        raise RunError("the result holds a number that JSON cannot: NaN or infinity") from None
    click.echo(text)


def _print_plot(console: Console, save: Callable[[], Path]) -> None:
    """Say where the picture is; a report is no worse without one."""
    try:
        text = f"plot: {save()}"
    except RunError as error:
        text = f"no plot: {error}"
    console.print(text, soft_wrap=True, markup=False, highlight=False)


def _print_result(result: SearchResult, *, as_json: bool, with_trials: bool) -> None:
    from growsearch.reports import trials as report

    if as_json:
        _print_json(result.to_json())
        return
    if with_trials:
        click.echo("\n".join(report.table(result.trials)))
    click.echo()
    if result.stand_in:
        click.echo("\n".join(report.stand_in_notice()))
    for name, value in report.summary(result):
        click.echo(f"{name:<20}{value}")


def _announce(*, as_json: bool) -> None:
    """Tell whoever sits before the screen what the first seconds go into."""
    if (sys.stderr if as_json else sys.stdout).isatty():
        click.echo("Loading TensorFlow and Optuna, which takes some seconds", err=as_json)


def _quiet() -> None:
    """Keep other libraries' log lines and warnings off the screen; their errors stay."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import optuna

    from growsearch.study.networks import DamagedNetworkWarning

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Its pool logs the interruption of a transaction, which is rolled back all the same.
    logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")
    warnings.simplefilter("always", DamagedNetworkWarning)
    told: set[str] = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        # Once: a run looks for its best network often. Python's own "once" forgets whenever
        # somebody changes the filters.
        if str(message) not in told:
            told.add(str(message))
            click.echo(f"growsearch: warning: {message}", err=True)

    warnings.showwarning = show


def _terminated(_signal: int, _frame: object) -> NoReturn:
    """Let SIGTERM end a run as Ctrl-C does: the trial in flight is given back."""
    raise KeyboardInterrupt


def _again() -> str:
    """The command that was given, fit for the screen."""
    return shlex.join(["growsearch", *map(without_password, sys.argv[1:])])


def main(arguments: list[str] | None = None, call: Callable[..., Any] = app) -> int:
    """Run a command; returns the exit status: 2 for bad input, 130 when interrupted."""
    previous = signal.signal(signal.SIGTERM, _terminated)
    try:
        call(arguments, standalone_mode=False, prog_name="growsearch")
    except click.exceptions.NoArgsIsHelpError as shown:
        click.echo(shown.format_message())
        return 2
    except click.ClickException as error:
        click.echo(f"growsearch: {' '.join(error.format_message().split())}", err=True)
        return 2
    except GrowsearchError as error:
        click.echo(f"growsearch: {' '.join(str(error).split())}", err=True)
        return 2
    except (KeyboardInterrupt, click.Abort) as error:
        # Of a command that has more to say of itself; click puts its own error before it.
        stored = str(error.__cause__ or error) or "Everything finished is stored"
        click.echo(f"Interrupted. {stored}; to continue:\n  {_again()}", err=True)
        return 130
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 0


def entry() -> NoReturn:
    """Start the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # the arrows, where the encoding has none
    sys.exit(main())


if __name__ == "__main__":
    entry()
