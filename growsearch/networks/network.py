"""A network: an architecture with weights, and what its optimizer knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from growsearch.checks import check_choice, whole_number
from growsearch.errors import ArchitectureError, InvalidInputError
from growsearch.networks.architecture import Architecture
from growsearch.networks.layer import Weight

Array = NDArray[Any]
Weights = Mapping[str, Mapping[str, Array]]
Initializer = Literal["he_normal", "truncated_normal"]
INITIALIZERS: tuple[Initializer, ...] = ("he_normal", "truncated_normal")

FLOATS = (np.float16, np.float32, np.float64)

# Slots by name -> degree in the gradient: how they scale when the gradient does.
SLOT_DEGREES = {
    "adam": {"m": 1, "v": 2},
    "adamw": {"m": 1, "v": 2},
    "momentum": {"momentum": 1},
    "sgd": {},
}


@dataclass(frozen=True, eq=False)
class Slots:
    """What an optimizer remembers of a network's training.

    Parameters
    ----------
    optimizer : str
        "adam", "adamw", "momentum" or "sgd".
    step : int
        Updates so far, for Adam's bias correction.
    values : mapping
        Slot name ("m", "v", "momentum") -> layer -> weight -> array of the weight's shape.
    """

    optimizer: str
    step: int
    values: Mapping[str, Weights]

    def __post_init__(self) -> None:
        check_choice("optimizer", self.optimizer, SLOT_DEGREES)
        if set(self.values) != set(SLOT_DEGREES[self.optimizer]):
            expected = ", ".join(SLOT_DEGREES[self.optimizer]) or "none"
            raise InvalidInputError(
                f"slots of {self.optimizer}: expected {expected}, got {', '.join(self.values)}"
            )
        object.__setattr__(self, "step", whole_number("step", self.step, 0))
        frozen = MappingProxyType({name: read_only(each) for name, each in self.values.items()})
        object.__setattr__(self, "values", frozen)

    def __reduce__(self) -> tuple[Any, ...]:
        values = {name: _plain(weights) for name, weights in self.values.items()}
        return type(self), (self.optimizer, self.step, values)

    @property
    def degrees(self) -> Mapping[str, int]:
        """The degree in the gradient of each slot."""
        return SLOT_DEGREES[self.optimizer]


@dataclass(frozen=True, eq=False)
class Network:
    """An architecture with its weights and optimizer slots; frozen, its arrays its own.

    Parameters
    ----------
    architecture : Architecture
    weights : mapping
        Layer name -> weight name ("kernel", "bias", …) -> array.
    slots : Slots or None

    Raises
    ------
    ArchitectureError
        When the arrays are not those of the architecture: names layer, expected and got.

    Examples
    --------
    >>> architecture = Architecture.parse("4(fc1)-2(fc2)", input_shape=(3,))
    >>> network = Network.initial(architecture, rng=0)
    >>> network.weights["fc1"]["kernel"].shape, network.parameters
    ((3, 4), 26)
    >>> network.forward(np.ones((5, 3))).shape
    (5, 2)
    """

    architecture: Architecture
    weights: Weights
    slots: Slots | None = None

    def __post_init__(self) -> None:
        expected = self.architecture.weights
        check_arrays(expected, self.weights, "")
        # In the architecture's order, whatever order they came in: what is drawn for them follows.
        ordered = {
            layer: {name: self.weights[layer][name] for name in weights}
            for layer, weights in expected.items()
        }
        object.__setattr__(self, "weights", read_only(ordered))
        if self.slots is not None:
            every = {
                layer: {name: w for name, w in weights.items() if w.trainable}
                for layer, weights in expected.items()
            }
            # A batch norm may have statistics alone: it needs no entry, and may have an empty one.
            trainable = {layer: weights for layer, weights in every.items() if weights}
            for name, values in self.slots.values.items():
                given = {layer: arrays for layer, arrays in values.items() if arrays}
                check_arrays(trainable, given, f"slot {name} of ")

    @classmethod
    def initial(
        cls,
        architecture: Architecture,
        *,
        rng: np.random.Generator | int,
        initializer: Initializer = "he_normal",
        dtype: Any = np.float32,
    ) -> Self:
        """A network with random weights.

        Parameters
        ----------
        architecture : Architecture
        rng : numpy.random.Generator or int
        initializer : "he_normal" or "truncated_normal"
            Kernels N(0, 2/fan_in) and biases 0 (He et al., arXiv:1502.01852), or the original
            Net2Net experiments': normal with standard deviation 0.1, cut at two of them, and
            biases 0.1.
        dtype : dtype of the weights
        """
        check_choice("initializer", initializer, INITIALIZERS)
        generator = np.random.default_rng(rng)
        weights = {
            layer: {
                name: handed_over(_start(w, initializer, generator).astype(dtype))
                for name, w in ws.items()
            }
            for layer, ws in architecture.weights.items()
        }
        return cls(architecture, weights)

    @property
    def parameters(self) -> int:
        """Number of trained values."""
        return self.architecture.parameters

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the network's file, which is a function of its content alone."""
        from growsearch.networks.files import digest

        return digest(self)

    def forward(self, images: Any) -> NDArray[np.float64]:
        """Logits in float64 by the reference, in evaluation mode.

        Parameters
        ----------
        images : array, shape (n, *input_shape)

        Returns
        -------
        float64 array, shape (n, *output shape)
        """
        from growsearch.networks.reference import forward

        return forward(self, images)

    def save(self, path: str | Path) -> Path:
        """Write the network to one safetensors file, atomically; returns the path.

        Folders on the way that are not there are made.
        """
        from growsearch.networks.files import save

        return save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Network:
        """Read a network's file as untrusted input; executes nothing from it.

        Raises
        ------
        NetworkFileError
            Says what is wrong with the file.
        """
        from growsearch.networks.files import load

        return load(Path(path))

    def to_keras(self) -> Any:
        """A functional Keras model with the network's layers, names and weights, not compiled.

        Its inverse is :func:`growsearch.from_keras`. Loads Keras.
        """
        from growsearch.interop.keras import to_keras

        return to_keras(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.architecture, _plain(self.weights), self.slots)

    def __deepcopy__(self, memo: Any) -> Self:
        return self  # nothing of it can change

    def __repr__(self) -> str:
        return f"Network({self.architecture}, {self.parameters:,} parameters)"


def read_only(weights: Weights) -> Weights:
    """The same mappings and values, none of which can be written to.

    Arrays that somebody could write to are copied: a network is what it was when it was made.
    """
    frozen = {}
    for layer, arrays in weights.items():
        own = {}
        for name, array in arrays.items():
            own[name] = np.array(array, copy=None if _is_frozen(array) else True)
            own[name].setflags(write=False)
        frozen[layer] = MappingProxyType(own)
    return MappingProxyType(frozen)


def _plain(weights: Weights) -> dict[str, dict[str, Array]]:
    """The same as dictionaries, which can be pickled."""
    return {layer: dict(arrays) for layer, arrays in weights.items()}


def handed_over(array: Array) -> Array:
    """An array that nobody else holds, made read-only: a network takes it as it is."""
    array.setflags(write=False)
    return array


def _is_frozen(array: Any) -> bool:
    return isinstance(array, np.ndarray) and not array.flags.writeable


def check_arrays(expected: Mapping[str, Mapping[str, Weight]], arrays: Weights, what: str) -> None:
    """Raise ArchitectureError unless ``arrays`` have exactly the expected names and shapes.

    Their values are floating-point; whether they are finite is for training and files to say.
    """
    if set(arrays) != set(expected):
        wrong = sorted(set(arrays) ^ set(expected))[0]
        verb = "expected" if wrong in expected else "did not expect"
        raise ArchitectureError(f"{wrong}: {verb} {what}weights of this layer")
    for layer, weights in expected.items():
        if set(arrays[layer]) != set(weights):
            raise ArchitectureError(
                f"{layer}: expected {what}weights {', '.join(weights)}, "
                f"got {', '.join(arrays[layer]) or 'none'}"
            )
        for name, weight in weights.items():
            got = np.shape(arrays[layer][name])
            if got != weight.shape:
                raise ArchitectureError(
                    f"{layer}: expected {what}{name} of shape {weight.shape}, got {got}"
                )
            dtype = np.asarray(arrays[layer][name]).dtype
            if dtype.newbyteorder("=") not in FLOATS:
                raise ArchitectureError(
                    f"{layer}: expected {what}{name} of float16, float32 or float64, got {dtype}"
                )


def _start(weight: Weight, initializer: Initializer, rng: np.random.Generator) -> Array:
    if weight.fill == "kernel":
        if initializer == "he_normal":
            return rng.normal(scale=np.sqrt(2.0 / max(weight.fan_in, 1)), size=weight.shape)
        from scipy.stats import truncnorm

        return np.asarray(truncnorm.rvs(-2, 2, scale=0.1, size=weight.shape, random_state=rng))
    if weight.fill == "bias":
        return np.full(weight.shape, 0.0 if initializer == "he_normal" else 0.1)
    return np.full(weight.shape, 1.0 if weight.fill == "ones" else 0.0)
