"""A network: an architecture with weights, and the slots of its optimizer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from growsearch.atomic import write_atomically
from growsearch.checks import check_choice, expanded, whole_number
from growsearch.errors import ArchitectureError, InvalidInputError, NetworkFileError
from growsearch.networks import format as file_format
from growsearch.networks import reference
from growsearch.networks.architecture import Architecture
from growsearch.networks.arrays import (
    Array,
    Weights,
    check_arrays,
    flatten,
    handed_over,
    nest,
    plain,
    read_only,
)
from growsearch.networks.class_names import checked_names
from growsearch.networks.layer import Weight
from growsearch.networks.optimizers import OPTIMIZERS

Initializer = Literal["he_normal", "truncated_normal"]
INITIALIZERS: tuple[Initializer, ...] = ("he_normal", "truncated_normal")


@dataclass(frozen=True, eq=False)
class Slots:
    """The slots of an optimizer: its moments of every weight, and its number of updates.

    Parameters
    ----------
    optimizer : str
        A name in ``growsearch.networks.optimizers.OPTIMIZERS``.
    step : int
        Updates so far, for Adam's bias correction.
    values : mapping
        Slot name ("m", "v", "momentum") -> layer -> weight -> array of the weight's shape.
    """

    optimizer: str
    step: int
    values: Mapping[str, Weights]

    def __post_init__(self) -> None:
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        if set(self.values) != set(self.degrees):
            expected = ", ".join(self.degrees) or "none"
            raise InvalidInputError(
                f"slots of {self.optimizer}: expected {expected}, got {', '.join(self.values)}"
            )
        object.__setattr__(self, "step", whole_number("step", self.step, 0))
        frozen = MappingProxyType({name: read_only(each) for name, each in self.values.items()})
        object.__setattr__(self, "values", frozen)

    def __reduce__(self) -> tuple[Any, ...]:
        values = {name: plain(weights) for name, weights in self.values.items()}
        return type(self), (self.optimizer, self.step, values)

    @property
    def degrees(self) -> Mapping[str, int]:
        """The degree in the gradient of each slot."""
        return OPTIMIZERS[self.optimizer].degrees


@dataclass(frozen=True, eq=False)
class Network:
    """An architecture with its weights and optimizer slots; frozen, its arrays its own.

    Parameters
    ----------
    architecture : Architecture
    weights : mapping
        Layer name -> weight name ("kernel", "bias", …) -> array.
    slots : Slots or None
    class_names : tuple of str or None
        A name for each output, in their order; the network's file holds them.

    Raises
    ------
    ArchitectureError
        When the arrays do not fit the architecture: names layer, expected and got.

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
    class_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.class_names is not None:
            names = checked_names("class_names", self.class_names, self.outputs)
            object.__setattr__(self, "class_names", names)
        expected = self.architecture.weights
        check_arrays(expected, self.weights, "")
        # In the architecture's order, on which the random draws of a growth depend.
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
        """Return a network with random weights.

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

    @property
    def outputs(self) -> int:
        """Number of outputs, which are classes where the network classifies."""
        return self.architecture.shapes[self.architecture.output.name][-1]

    def named(self, class_names: Sequence[str] | None) -> Self:
        """Return the network with other names of its classes, or with none."""
        if class_names == self.class_names:
            return self
        return replace(self, class_names=None if class_names is None else tuple(class_names))

    def flat(self) -> dict[str, Array]:
        """Return all arrays by path: ``weights/conv1/kernel``, ``slots/m/conv1/kernel``.

        Examples
        --------
        >>> architecture = Architecture.parse("2(fc1)", input_shape=(3,))
        >>> list(Network.initial(architecture, rng=0).flat())
        ['weights/fc1/kernel', 'weights/fc1/bias']
        """
        arrays = flatten("weights", self.weights)
        for slot, layers in self.slots.values.items() if self.slots else ():
            arrays |= flatten(f"slots/{slot}", layers)
        return arrays

    @classmethod
    def from_flat(
        cls,
        architecture: Architecture,
        arrays: Mapping[str, Array],
        optimizer: str | None = None,
        step: int = 0,
    ) -> Self:
        """Return the network of arrays by path, the inverse of :meth:`flat`.

        Parameters
        ----------
        architecture : Architecture
        arrays : mapping
            Path -> array; other paths are left out.
        optimizer : str, optional
            Whose slots are among the arrays.
        step : int
            Its updates so far.
        """
        slots = None
        if optimizer is not None:
            check_choice("optimizer", optimizer, OPTIMIZERS)
            names = OPTIMIZERS[optimizer].degrees
            slots = Slots(optimizer, step, {slot: nest(f"slots/{slot}", arrays) for slot in names})
        return cls(architecture, nest("weights", arrays), slots)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the network's file, as 64 hexadecimal digits; it depends on content alone."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def forward(self, images: Any) -> NDArray[np.float64]:
        """Return logits in float64 by the reference, in evaluation mode.

        Parameters
        ----------
        images : array, shape ``(n, *input_shape)``

        Returns
        -------
        float64 array, shape (n, *output shape)
        """
        return reference.forward(self, images)

    def to_bytes(self) -> bytes:
        """Return the bytes of the network's file: a function of its content alone.

        Raises
        ------
        InvalidInputError
            When the file could not be read again: values that are not finite, too many layers.
        """
        optimizer, step = (self.slots.optimizer, self.slots.step) if self.slots else (None, 0)
        header = file_format.Header(self.architecture, optimizer, step, self.class_names)
        return file_format.serialize(header, self.flat())

    @classmethod
    def from_bytes(cls, data: bytes, source: str = "a network") -> Self:
        """Read the bytes of a network's file as untrusted input; executes nothing from it.

        Raises
        ------
        NetworkFileError
            Names ``source`` and says what is wrong.
        """
        header, arrays = file_format.parse(data, source)
        try:
            network = cls.from_flat(header.architecture, arrays, header.optimizer, header.step)
            return network.named(header.class_names)
        except (ArchitectureError, InvalidInputError) as error:
            raise NetworkFileError(f"{source}: {error}") from None

    def save(self, path: str | Path) -> Path:
        """Write the network to one safetensors file, atomically; return the path.

        Missing folders on the way are made.
        """
        path = expanded(path)
        if path.is_dir():
            raise InvalidInputError(f"{path}: expected the path of a file to write, got a folder")
        write_atomically(path, self.to_bytes())
        return path

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a network's file as untrusted input; executes nothing from it.

        Raises
        ------
        NetworkFileError
            Says what is wrong with the file.
        """
        path = expanded(path, error=NetworkFileError)
        return cls.from_bytes(file_format.read(path), str(path))

    def to_keras(
        self, *, dtype: str | None = None, custom_objects: Mapping[str, Any] | None = None
    ) -> Any:
        """Return a functional Keras model, not compiled, with the network's names and weights.

        Its inverse is :func:`growsearch.from_keras`. Loads Keras.

        Parameters
        ----------
        dtype : str, optional
            Precision of every layer, such as "float64"; by default the one that it was read with,
            else float32.
        custom_objects : mapping, optional
            Own classes and functions, by name, that the network's layers are made of.
        """
        from growsearch.interop.keras import to_keras

        return to_keras(self, dtype=dtype, custom_objects=custom_objects)

    def __reduce__(self) -> tuple[Any, ...]:
        weights = plain(self.weights)
        return type(self), (self.architecture, weights, self.slots, self.class_names)

    def __deepcopy__(self, memo: Any) -> Self:
        return self  # it is immutable

    def __repr__(self) -> str:
        opaque = len(self.architecture.opaque)
        keras = f", {opaque} layer{'s' * (opaque > 1)} that only Keras computes" if opaque else ""
        return f"Network({self.architecture}, {self.parameters:,} parameters{keras})"


def _start(weight: Weight, initializer: Initializer, rng: np.random.Generator) -> Array:
    if weight.fill == "kernel":
        if initializer == "he_normal":
            return rng.normal(scale=np.sqrt(2.0 / max(weight.fan_in, 1)), size=weight.shape)
        from scipy.stats import truncnorm

        return np.asarray(truncnorm.rvs(-2, 2, scale=0.1, size=weight.shape, random_state=rng))
    if weight.fill == "bias":
        return np.full(weight.shape, 0.0 if initializer == "he_normal" else 0.1)
    return np.full(weight.shape, 1.0 if weight.fill == "ones" else 0.0)
