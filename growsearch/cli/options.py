"""Options that several commands share, and the types of what is typed on the command line."""

from __future__ import annotations

import math
import re
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from growsearch.checks import LARGEST_SEED, number
from growsearch.errors import without_password

STORAGE_VARIABLE = "GROWSEARCH_STORAGE"
BEGAN = time.monotonic()  # a time budget begins with the process

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?|(\d+(?:\.\d+)?)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([MGT])(i?)B?")

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
log = click.option(
    "--log",
    "logs",
    multiple=True,
    metavar="TRACKER[=PLACE]",
    help="Log trials and result to tensorboard[=FOLDER], mlflow[=URI] or wandb[=PROJECT]. "
    "Repeatable.",
)
data = click.option(
    "--data",
    metavar="PATH",
    help="Your images: a folder with a folder a class, with or without train, validation and test "
    "above; a tar or zip archive of one; a CSV of path,label; an .npz. Or the files of a published "
    "data set. By default $GROWSEARCH_DATA, else the cache, else a download.",
)


def _warned(context: click.Context, parameter: click.Parameter, url: str | None) -> str | None:
    """Warn of a password that every user of the machine sees in the list of processes."""
    is_typed = context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    if url is not None and is_typed and without_password(url) != url:
        click.echo(
            "growsearch: warning: --storage: other users of this machine can see a password on the "
            "command line: let PGPASSWORD, ~/.pgpass or ~/.pg_service.conf have it, or "
            f"{STORAGE_VARIABLE} the whole URL",
            err=True,
        )
    return url


def current_space(
    _context: click.Context, _parameter: click.Parameter, name: str | None
) -> str | None:
    """Return a space's name; in place of an alias that of its successor, after one line."""
    from growsearch.space import ALIASES, alias_notice

    if name is None or name not in ALIASES:
        return name
    click.echo(f"growsearch: warning: {alias_notice(name)}", err=True)
    return ALIASES[name]


seed = click.option(
    "--seed", type=click.IntRange(0, LARGEST_SEED), help="Seed of everything random."
)


storage = click.option(
    "--storage",
    metavar="URL",
    envvar=STORAGE_VARIABLE,
    callback=_warned,
    help="Optuna storage of the run, such as postgresql+psycopg://user@host/name; by default "
    f"${STORAGE_VARIABLE}, else SQLite in the run folder.",
)


class ImageSize(click.ParamType[tuple[int, int]]):
    """A size of images: 64, or height x width such as 48x64."""

    name = "size of images"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Return height and width of a text."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([1-9]\d{0,3})(?:x([1-9]\d{0,3}))?", str(value).strip())
        if match is None:
            self.fail(f"expected a size such as 64 or 48x64, got {value!r}", param, ctx)
        return int(match[1]), int(match[2] or match[1])


image_size = click.option(
    "--image-size",
    type=ImageSize(),
    metavar="SIZE",
    help="Size that image files are resized to: 64, or height x width as 48x64. By default that of "
    "the space's first network; of a shipped space the median, at most 128 along a side.",
)
skip_unreadable = click.option(
    "--skip-unreadable",
    is_flag=True,
    help="Leave out files of images that cannot be read, instead of ending with an error.",
)


class Limit(click.ParamType[tuple[str, float]]):
    """A limit on a demand: milliseconds=2."""

    name = "limit"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Return the name and the number of a text."""
        if isinstance(value, tuple):
            return value
        name, _, number = str(value).partition("=")
        try:
            limit = float(number.replace("_", ""))
        except ValueError:
            self.fail(f"expected DEMAND=LIMIT, such as milliseconds=2, got {value!r}", param, ctx)
        return name, limit


class CustomObject(click.ParamType[tuple[str, Any]]):
    """A class or function of the user, as module:name."""

    name = "custom object"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Return the name and what the module has under it."""
        module, colon, name = str(value).partition(":")
        if not (module and colon and name):
            self.fail(f"expected module:name, such as my_layers:Scale, got {value!r}", param, ctx)
        if (here := str(Path.cwd())) not in sys.path:
            sys.path.insert(0, here)
        try:
            return name, getattr(import_module(module), name)
        except Exception as error:  # whatever the user's module raises
            reason = " ".join(str(error).split()) or type(error).__name__
            self.fail(
                f"{value}: expected module:name of a module that can be imported from here, such "
                f"as my_layers:Scale, got {type(error).__name__}: {reason}",
                param,
                ctx,
            )


def _by_name(
    _context: click.Context, _parameter: click.Parameter, named: tuple[tuple[str, Any], ...]
) -> dict[str, Any]:
    return dict(named)


custom_objects = click.option(
    "--custom-objects",
    type=CustomObject(),
    multiple=True,
    callback=_by_name,
    metavar="MODULE:NAME",
    help="A class or function of your own that a Keras file uses; its module is imported. "
    "Repeatable. Nothing else in or named by a file runs.",
)


model = click.option(
    "--model",
    metavar="PATH",
    help="Start from a network of your own: a .keras, .h5 or .safetensors file. SPACE is then auto "
    "by default, which needs --data.",
)


class Duration(click.ParamType[float]):
    """A time span such as 90s, 10m or 1h30m, in seconds; a number alone is seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds of a text."""
        match = _DURATION.fullmatch(str(value).strip())
        parts = [float(part or 0) for part in match.groups()] if match else []
        total = sum(part * unit for part, unit in zip(parts, (3600, 60, 1, 1), strict=False))
        if not 0 < total < float("inf"):
            self.fail(f"expected a time span such as 90s, 10m or 1h30m, got {value!r}", param, ctx)
        return total


class TimeBudget(Duration):
    """A time span, or none: infinitely many seconds."""

    name = "time budget"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds of a text."""
        if str(value).strip() == "none":
            return math.inf
        return super().convert(value, param, ctx)


class Size(click.ParamType[int]):
    """A size of memory such as 512M or 8G, in bytes: powers of 1000, and with Gi of 1024."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes of a text."""
        match = _SIZE.fullmatch(str(value).strip())
        power = "MGT".index(match[2]) + 2 if match else 0
        total = float(match[1]) * (1024 if match[3] else 1000) ** power if match else 0.0
        if not 1 <= total < float("inf"):
            self.fail(f"expected a size of memory such as 512M or 8G, got {value!r}", param, ctx)
        return int(total)


class Amount(click.ParamType[float]):
    """A number of processors or GPUs, which may be a fraction.

    Parameters
    ----------
    above : bool
        True if 0 is none.
    """

    name = "amount"

    def __init__(self, *, above: bool = False) -> None:
        self._above = above

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number of a text."""
        try:
            return number(self.name, float(value), 0.0, above=self._above)
        except ValueError:  # the check's own is one
            least = "more than 0" if self._above else "of at least 0"
            self.fail(f"expected a number {least}, such as 2 or .5, got {value!r}", param, ctx)


class Arms(click.ParamType[dict[str, float]]):
    """Arms with fractions of the trials, such as random,scratch:0.5; "none" is no arm."""

    name = "arms"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, float]:
        """Return the fraction of each arm in a text; an arm without one has 1.0."""
        text = str(value)
        named = [] if text.strip() in ("", "none") else text.split(",")
        fractions: dict[str, float] = {}
        for each in named:
            arm, colon, fraction = each.strip().partition(":")
            try:
                fractions[arm] = float(fraction) if colon else 1.0
            except ValueError:
                self.fail(f"expected fractions such as random:0.5, got {each!r}", param, ctx)
        if len(fractions) < len(named):
            self.fail(f"expected each arm once, got {text!r}", param, ctx)
        return fractions


class ArmsOption(click.Option):
    """An option whose help ends with the control arms and their questions.

    The table of arms is imported when the help of the command is shown, and not before.
    """

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the option and its help, with each control arm and its question in it."""
        from growsearch.trials.arms import ARMS, controls

        record = super().get_help_record(ctx)
        arms = ", ".join(f"{arm} ({ARMS[arm].question})" for arm in controls())
        return record and (record[0], f"{record[1]} Arms: {arms}.")
