"""Keys of a search space that set fields of a training plan, derived from the plan itself."""

from __future__ import annotations

from dataclasses import MISSING
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field, create_model

from growsearch.space.section import Section
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


def section_of(key: Key) -> Any:
    """Return a section with every key of a kind.

    Parameters
    ----------
    key : Key
        ``TRAINING``: as in the plan, with the plan's defaults. ``LAST``: none is required, and a
        key that is left out is None. ``CHOICE``: the same, and a value is [lowest, highest].
    """
    own: dict[str, Any] = {
        name: _training(knob) if key is Key.TRAINING else _optional(knob, key)
        for name, knob in _KNOBS.items()
        if key in knob.keys
    }
    return create_model(f"{key.name}Keys", __base__=Section, **own)


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


if TYPE_CHECKING:  # mypy reads no derived fields: a test holds these equal to the plan's
    from growsearch.training import Augmentation, TrainingPlan

    Rate = float

    class TrainingKeys(Section):
        """The keys of every training."""

        steps: int
        batch_size: int = TrainingPlan.batch_size
        optimizer: str = TrainingPlan.optimizer
        evaluate_every: int = TrainingPlan.evaluate_every
        momentum: float = TrainingPlan.momentum
        weight_decay: float | None = TrainingPlan.weight_decay
        precision: str = TrainingPlan.precision
        schedule: str = TrainingPlan.schedule
        warmup: int = TrainingPlan.warmup
        decay_share: float = TrainingPlan.decay_share
        timescale: int = TrainingPlan.timescale
        rewarm: int = TrainingPlan.rewarm
        label_smoothing: float = TrainingPlan.label_smoothing
        ema: float = TrainingPlan.ema
        shift: int = Augmentation.shift
        rotate: float = Augmentation.rotate
        zoom: float = Augmentation.zoom
        erase: int = Augmentation.erase
        flip: bool = Augmentation.flip

    class LastKeys(Section):
        """The keys of the last cycle of a polish."""

        learning_rate: float | None = None
        schedule: str | None = None
        decay_share: float | None = None
        label_smoothing: float | None = None
        ema: float | None = None
        shift: int | None = None
        rotate: float | None = None
        zoom: float | None = None
        erase: int | None = None
        flip: bool | None = None

    class ChoiceKeys(Section):
        """The knobs of a training that Optuna may choose, each a range."""

        weight_decay: tuple[float, float] | None = None
        label_smoothing: tuple[float, float] | None = None
        ema: tuple[float, float] | None = None
else:
    Rate = key_type("learning_rate")
    TrainingKeys = section_of(Key.TRAINING)
    LastKeys = section_of(Key.LAST)
    ChoiceKeys = section_of(Key.CHOICE)
