"""Growths on the command line: an option for each, applied in the order in which they are typed."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_type_hints

import click

from growsearch.errors import InvalidInputError

if TYPE_CHECKING:
    from growsearch.growth import Growth

# Operation -> the form of its option's value, and help. Growths of several layers at once are
# several options; --growth takes any growth.
FORMS = {
    "widen": ("LAYER=WIDTH", "Give a layer more units: conv1=64."),
    "deepen": ("LAYER", "Put a new layer behind a layer."),
    "enlarge_kernel": ("LAYER=KERNEL", "Give a convolution a larger kernel: conv1=5."),
    "add_skip": ("LAYER=LAYER", "Add a connection from one layer to another, by a sum."),
    "add_branch": ("LAYER=UNITS", "Put a parallel branch beside a layer: conv1=16."),
    "add_classes": ("N", 'Give the output N more classes: \'2,names=["cat","dog"]\'.'),
    "add_inputs": ("N", "Give the input N more channels: 1,init=copy."),
    "narrow": ("LAYER=WIDTH", "Give a layer fewer units: conv1=32,by=magnitude."),
    "remove": ("LAYER", "Take a layer out: conv2,exact=false."),
}
_GENERAL = "growth"
_MORE = " Further settings: ,KEY=VALUE."
_COMMA = re.compile(r",(?![^\[]*\])")  # outside of a list


class GrowingCommand(click.Command):
    """A command with an option for each growth; its function gets ``typed_growths``.

    That is a list of (operation, value) in the order of the command line.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._growths = [_option(name, *form) for name, form in FORMS.items()]
        general = click.Option(
            [f"--{_GENERAL}"],
            multiple=True,
            metavar="JSON",
            expose_value=False,
            help="Any growth, as sites --json prints it: "
            """'{"operation": "widen", "layer": "conv1", "width": 64}'.""",
        )
        self._growths.append(general)
        self.params += self._growths

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse twice: click's parameters know the order of values of one option only."""
        rest = super().parse_args(ctx, list(args))
        values, _, order = self.make_parser(ctx).parse_args(args=list(args))
        left = {option.name: iter(values.get(option.name or "") or ()) for option in self._growths}
        ctx.params["typed_growths"] = [
            (str(option.name), next(left[option.name])) for option in order if option.name in left
        ]
        return rest


def growths_of(typed: Sequence[tuple[str, str]]) -> list[Growth]:
    """Return the growths that were typed.

    Raises
    ------
    InvalidInputError
        Names the option, what was expected and what came.
    """
    return [_general(value) if name == _GENERAL else _growth(name, value) for name, value in typed]


def as_option(growth: Growth) -> str:
    """Return a growth as it is typed: ``--widen conv1=64``."""
    operation = growth.operation
    values = [(each, getattr(growth, each.name)) for each in fields(growth)]
    if operation not in FORMS or any(_is_ambiguous(value) for _, value in values):
        return f"--{_GENERAL} {shlex.quote(json.dumps(growth.to_json()))}"
    places = _places(operation)
    first = "=".join(_text(value) for _, value in values[:places])
    more = [f",{e.name}={_text(value)}" for e, value in values[places:] if value != e.default]
    return f"--{_dashed(operation)} {shlex.quote(first + ''.join(more))}"


def _option(operation: str, form: str, described: str) -> click.Option:
    return click.Option(
        [f"--{_dashed(operation)}", operation],
        multiple=True,
        metavar=form,
        expose_value=False,
        help=described + _MORE * (operation == next(iter(FORMS))),
    )


def _dashed(operation: str) -> str:
    return operation.replace("_", "-")


def _places(operation: str) -> int:
    """Return how many fields stand in front of the settings."""
    return FORMS[operation][0].count("=") + 1


def _general(text: str) -> Growth:
    from growsearch.growth import growth_from_json

    try:
        return growth_from_json(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"--{_GENERAL}: {error}") from None


def _growth(operation: str, text: str) -> Growth:
    """Return the growth of an option's value: ``conv1=64,split=equal``."""
    from growsearch.growth import OPERATIONS, growth_from_json

    form, option = FORMS[operation][0], f"--{_dashed(operation)}"
    kind = OPERATIONS[operation]
    names, hints = [each.name for each in fields(kind)], get_type_hints(kind)
    first, *more = _COMMA.split(text)
    places = first.split("=")
    if len(places) != _places(operation) or not all(places):
        raise InvalidInputError(f"{option}: expected {form}, got {text!r}")
    typed = list(zip(names, places, strict=False))
    for each in more:
        key, equals, value = each.partition("=")
        if not equals or key not in names[len(places) :]:
            raise InvalidInputError(
                f"{option}: expected settings KEY=VALUE among "
                f"{', '.join(names[len(places) :]) or 'none'}, got {each!r}"
            )
        typed.append((key, value))
    values = {name: value if hints[name] is str else _value(value) for name, value in typed}
    try:
        return growth_from_json({"operation": operation, **values})
    except InvalidInputError as error:
        raise InvalidInputError(
            f"{option}: expected {form}: {error.__context__ or error}"
        ) from None


def _value(text: str) -> Any:
    """Return what a text is in TOML, a pair such as 3x5, None for "none", or the text."""
    from growsearch.space.override import typed_value

    if text == "none":
        return None
    if re.fullmatch(r"\d+x\d+", text):
        return [int(part) for part in text.split("x")]
    return typed_value(text)


def _is_ambiguous(value: Any) -> bool:
    """Return whether a value cannot be told apart from what stands around it."""
    if isinstance(value, tuple):
        return any(isinstance(each, str) for each in value)
    return isinstance(value, str) and bool(set("=,[]") & set(value))


def _text(value: Any) -> str:
    if isinstance(value, tuple) and len(set(value)) == 1 and value:
        return str(value[0])
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)
