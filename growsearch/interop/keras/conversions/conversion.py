"""The conversion of one layer type: a Keras layer read, one of ours written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from numpy.typing import NDArray

from growsearch.networks.layer import Layer, Shape

# A Keras layer -> ours. A ValueError says which option is not ours: the layer stays Keras' own.
Reader = Callable[[Any], Layer]


@dataclass(frozen=True)
class Call:
    """A call of one of Keras' operations (``x + y``, ``keras.ops.multiply(x, 2.0)``).

    Parameters
    ----------
    operation : keras.Operation
    args, kwargs
        As they were given; tensors are Keras' symbolic ones.
    """

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(frozen=True)
class Written:
    """A Keras layer to be made: the name of its class in ``keras.layers`` and its arguments.

    The class may follow from the shape of the first input without the batch axis.

    An argument called ``activation`` is our name of it; name, dtype, data format, regularizers and
    so on are added by ``write.py``. Where our layer has an activation and Keras' has not,
    ``write.py`` puts a layer of its own behind it, unless ``has_activation`` says that it is in.
    ``fitted`` gives further arguments, from the shape of the first input without the batch axis.
    """

    of: str | Callable[[Shape], str]
    options: dict[str, Any] = field(default_factory=dict)
    has_activation: bool = False
    fitted: Callable[[Shape], dict[str, Any]] | None = None


# One of our layers -> Keras'. Its activation is written, or is a layer of its own behind it.
Writer = Callable[[Any], Written]
# The arrays of a layer by our names, where Keras has them otherwise than as its weights in order:
# a Keras layer -> its arrays, none if it has none; a Keras layer and arrays -> None.
Named = dict[str, NDArray[Any]]
Arrays = tuple[Callable[[Any], Named], Callable[[Any, Mapping[str, NDArray[Any]]], None]]


def refuse(reason: str) -> NoReturn:
    """Leave the layer to Keras, for a reason that messages show."""
    raise ValueError(reason)


def expect(name: str, got: Any, *expected: Any) -> None:
    """Refuse an option that has another value than those expected."""
    if got not in expected:
        refuse(f"expected {name} {' or '.join(map(str, expected))}, got {got}")


def channels(layer: Any) -> None:
    """Refuse a layer that works along another axis than the last one."""
    axis = getattr(layer, "axis", -1)
    axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
    # Keras writes the axis of channels as -1, or as its number, once it is built.
    shape = (layer.get_build_config() or {}).get("input_shape") or (None,) * 4
    while isinstance(shape[0], list | tuple):
        shape = shape[0]
    expect("the last axis", axis, -1, len(shape) - 1)
