"""Keys of a search space that set fields of a training plan, derived from the plan itself."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, Field, create_model

from growsearch.training.fields import Key, Knob, OneOf, Switch, Whole
from growsearch.training.plan import plan_knobs

_KNOBS = {knob.name: knob for knob in plan_knobs()}
KNOBS = tuple(name for name, knob in _KNOBS.items() if Key.CHOICE in knob.keys)


def key_type(name: str) -> Any:
    """Return the type of the key for a plan's field, for pydantic: with the field's bounds."""
    rule = _KNOBS[name].rule
    if isinstance(rule, OneOf):
        return Literal[rule.choices]
    if isinstance(rule, Switch):
        return bool
    if isinstance(rule, Whole):
        return Annotated[int, Field(ge=rule.least, le=rule.space_most)]
    most = rule.most if rule.space_most is None else rule.space_most
    bounds: dict[str, Any] = {"gt" if rule.above else "ge": rule.least}
    bounds["lt" if rule.below else "le"] = most
    return Annotated[float, Field(**bounds)]


def with_keys(base: type[BaseModel], key: Key) -> Any:
    """Return a section with every key of a kind.

    Parameters
    ----------
    base : subclass of BaseModel
        What the section inherits.
    key : Key
        ``TRAINING``: as in the plan, with the plan's defaults. ``LAST``: none is required, and a
        key that is left out is None. ``CHOICE``: the same, and a value is [lowest, highest].
    """
    own: dict[str, Any] = {
        name: _training(knob) if key is Key.TRAINING else _optional(knob, key)
        for name, knob in _KNOBS.items()
        if key in knob.keys
    }
    return create_model(f"{key.name}Keys", __base__=base, **own)


def _training(knob: Knob) -> tuple[Any, Any]:
    kind = key_type(knob.name)
    if knob.default is MISSING:
        return kind, ...
    return (kind | None if knob.default is None else kind), knob.default


def _optional(knob: Knob, key: Key) -> tuple[Any, Any]:
    kind, pair = key_type(knob.name), cast(Any, tuple)
    if key is Key.CHOICE:
        return pair[kind, kind] | None, Field(None, strict=False)
    return kind | None, None
