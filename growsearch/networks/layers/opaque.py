"""Opaque nodes: layers that only Keras computes, and the ends of graphs that have several.

Such a node is kept as Keras' own configuration, with its weights. Units pass neither in nor out, so
that every growth that would reach it is refused at its site, and growth elsewhere goes on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NoReturn

from growsearch.checks import is_whole_number
from growsearch.net2net import Units
from growsearch.networks.layer import LARGEST_SIZE, Layer, Memory, Shape, TiedUnitsError, Weight


@dataclass(frozen=True)
class _Opaque(Layer):
    """A node through which no units pass; ``shape`` is its output's as JSON, 0 for unknown."""

    shape: str

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.known_shape

    @cached_property
    def known_shape(self) -> Shape:
        """The shape of the output, without the batch axis."""
        return _shape("shape", _parsed("shape", self.shape))

    def output_shape(self, *shapes: Shape) -> Shape:
        return self.known_shape

    def flops(self, *shapes: Shape) -> int:
        return 0  # not known: Architecture.opaque names the layers that are not counted

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        self._refuse()

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        self._refuse()

    def activation_behind(self, before: str | None) -> None:
        """Return none: the function is not known."""

    @property
    def title(self) -> str:
        """The node's kind in notation."""
        return self.kind

    @property
    def described(self) -> str:
        """The node in messages."""
        return self.kind

    def _refuse(self) -> NoReturn:
        raise TiedUnitsError(f"units do not pass {self.described}")


@dataclass(frozen=True)
class KerasLayer(_Opaque):
    """One call of a layer or operation that only Keras computes.

    Parameters
    ----------
    shape : str
    layer : str
        Keras' configuration as JSON text. Empty for a further call of a shared layer.
    call : str
        Its arguments as JSON text, with the numbers of the inputs in the tensors' places.
    arrays : str
        The weights as JSON text: for each its name, shape, and whether it is trained.
    of : str
        The name of the node that has the layer and its weights, for a further call.
    """

    layer: str = ""
    call: str = ""
    arrays: str = "[]"
    of: str = ""

    kind: ClassVar[str] = "keras"
    inputs: ClassVar[tuple[int, int]] = (0, 1_000)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("layer", "call"):
            if text := getattr(self, name):
                _parsed(name, text)
        _ = self._arrays

    @cached_property
    def configuration(self) -> Any:
        """Keras' configuration, parsed."""
        return _parsed("layer", self.layer) if self.layer else None

    @cached_property
    def arguments(self) -> Any:
        """The arguments of the call, parsed."""
        return _parsed("call", self.call) if self.call else None

    @cached_property
    def _arrays(self) -> dict[str, Weight]:
        entries = _parsed("arrays", self.arrays)
        arrays = {}
        for entry in entries if isinstance(entries, list) else [entries]:
            match entry:
                case [str(name), list(sizes), bool(trainable)] if name and "/" not in name:
                    shape = _shape("arrays", sizes)
                    arrays[name] = Weight(shape, "zeros", {}, trainable=trainable)
                case _:
                    raise ValueError(f"arrays: expected [name, shape, trained], got {entry!r}")
        return arrays

    def weights(self, *shapes: Shape) -> dict[str, Weight]:
        return self._arrays

    @property
    def class_name(self) -> str:
        """The name of the layer's class."""
        config = self.configuration
        return str(config.get("class_name")) if isinstance(config, dict) else "shared"

    @property
    def title(self) -> str:
        return f"keras:{self.class_name}"

    @property
    def described(self) -> str:
        return f"{self.class_name}, which only Keras computes"


@dataclass(frozen=True)
class KerasOutput(_Opaque):
    """A further output of a layer that has several; ``number`` counts from 0."""

    number: int = 1

    kind: ClassVar[str] = "keras_output"

    @property
    def described(self) -> str:
        return f"output {self.number} of a layer that only Keras computes"


@dataclass(frozen=True)
class KerasInput(_Opaque):
    """A further input of a graph, beside "input"."""

    kind: ClassVar[str] = "keras_input"
    inputs: ClassVar[tuple[int, int]] = (0, 0)

    @property
    def described(self) -> str:
        return "an input of the network"


@dataclass(frozen=True)
class KerasEnds(Layer):
    """The outputs of a graph that has several, or whose ends have names.

    Parameters
    ----------
    takes : str
        The inputs as JSON text: their ``structure``, with numbers in the tensors' places, and for
        each of the ``tensors`` its name and dtype.
    gives : str
        The structure of the outputs.
    """

    takes: str
    gives: str = "0"

    kind: ClassVar[str] = "keras_ends"
    memory: ClassVar[Memory] = "shared"
    inputs: ClassVar[tuple[int, int]] = (1, 1_000)
    in_block: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        taken = self.taken
        tensors = taken.get("tensors") if isinstance(taken, dict) else None
        if not isinstance(tensors, list) or not all(isinstance(each, dict) for each in tensors):
            raise ValueError(f"takes: expected a structure and tensors, got {self.takes[:60]!r}")
        _check_numbers("takes", taken.get("structure"), len(tensors))
        _check_numbers("gives", self.given, self.inputs[1])

    @cached_property
    def taken(self) -> Any:
        """The inputs, parsed."""
        return _parsed("takes", self.takes)

    @cached_property
    def given(self) -> Any:
        """The structure of the outputs, parsed."""
        return _parsed("gives", self.gives)

    def output_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def flops(self, *shapes: Shape) -> int:
        return 0

    def through(self, units: tuple[Units, ...], *shapes: Shape) -> Units:
        raise TiedUnitsError("widening it would change the network's outputs")

    def required(self, units: Units, *shapes: Shape) -> tuple[Units, ...]:
        raise TiedUnitsError("widening it would change the network's outputs")


OPAQUE: dict[str, type[Layer]] = {
    layer.kind: layer for layer in (KerasLayer, KerasOutput, KerasInput, KerasEnds)
}


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{name}: expected JSON text, got {text[:60]!r}") from None


def _check_numbers(name: str, structure: Any, most: int) -> None:
    """Raise ValueError unless a structure holds whole numbers below ``most`` alone."""
    inner = structure.values() if isinstance(structure, dict) else structure
    if isinstance(structure, dict | list):
        for each in inner:
            _check_numbers(name, each, most)
    elif not is_whole_number(structure) or not 0 <= structure < most:
        raise ValueError(f"{name}: expected numbers of tensors, got {structure!r}")


def _shape(name: str, value: Any) -> Shape:
    is_shape = isinstance(value, Sequence) and not isinstance(value, str)
    if not is_shape or not all(is_whole_number(n) and 0 <= n <= LARGEST_SIZE for n in value):
        raise ValueError(f"{name}: expected a shape, got {value!r}")
    return tuple(map(int, value))
