"""The content of an exported file: a network, with the scaling of pixels and a softmax or not."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from growsearch.errors import InvalidInputError
from growsearch.networks import Network
from growsearch.networks.layers import (
    AlphaDropout,
    Carried,
    Dropout,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    GlobalAvgPool,
    GlobalMaxPool,
    KerasEnds,
    Permute,
    Reshape,
)

LARGEST_PIXEL = 255
_PROBABILITIES = ("softmax", "sigmoid", "hard_sigmoid")  # functions that give them
# Layers behind which probabilities are probabilities still: they move, drop or average them.
_PASSED = (
    *(Flatten, Reshape, Permute, GlobalAvgPool, GlobalMaxPool, KerasEnds),
    *(Dropout, AlphaDropout, GaussianDropout, GaussianNoise, Carried),
)


@dataclass(frozen=True)
class Content:
    """The computation of a file.

    Parameters
    ----------
    network : Network
        Takes floats, those of images from 0 to 1.
    pixels : bool
        True if the file takes bytes from 0 to 255, and divides them by 255 itself.
    softmax : bool
        True if a softmax is put behind the network.
    calibration : float32 array or None
        Images from which the ranges of activations are taken, for integers.
    custom_objects : mapping or None
        Own classes and functions, by name, that layers of Keras are made of.
    """

    network: Network
    pixels: bool
    softmax: bool
    calibration: NDArray[np.float32] | None = None
    custom_objects: Mapping[str, Any] | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of an input, without the batch axis."""
        return self.network.architecture.input_shape

    @property
    def input_dtype(self) -> str:
        """The type of the numbers that the file takes."""
        return "uint8" if self.pixels else "float32"

    @property
    def gives(self) -> str:
        """The name of the outputs: "probabilities", "logits", or "outputs" of another network."""
        if self.softmax or probabilities_by(self.network):
            return "probabilities"
        shape = self.network.architecture.shapes[self.network.architecture.output.name]
        return "logits" if len(shape) == 1 else "outputs"

    def inputs_of(self, images: NDArray[Any]) -> NDArray[Any]:
        """Return images, floats from 0 to 1, as the file takes them."""
        if self.pixels:
            return np.rint(LARGEST_PIXEL * np.asarray(images, np.float64)).astype(np.uint8)
        return np.asarray(images, np.float32)

    def expected(self, inputs: NDArray[Any]) -> NDArray[np.float64]:
        """Return the outputs of the searched network in float64, for inputs of the file."""
        images = inputs.astype(np.float64) / (LARGEST_PIXEL if self.pixels else 1.0)
        outputs = self.network.forward(images)
        return np.asarray(softmax(outputs, axis=-1) if self.softmax else outputs)

    def model(self, *, scaled: bool = True) -> Any:
        """Return the Keras model of the file, in float32.

        Parameters
        ----------
        scaled : bool
            False for a model that takes floats from 0 to 1 whatever the file takes.
        """
        import keras

        if keras.backend.backend() != "tensorflow":
            raise InvalidInputError(
                "export: expected Keras with the backend tensorflow, got "
                f"{keras.backend.backend()}: set KERAS_BACKEND=tensorflow"
            )
        model = self.network.to_keras(dtype="float32", custom_objects=self.custom_objects)
        inputs, outputs = model.inputs[0], model.outputs[0]
        if self.pixels and scaled:
            inputs = keras.Input(self.input_shape, dtype="uint8", name="image")
            scale = keras.layers.Rescaling(1.0 / LARGEST_PIXEL, name="scale", dtype="float32")
            outputs = model(scale(inputs))
        if self.softmax:
            outputs = keras.layers.Softmax(name="probabilities", dtype="float32")(outputs)
        elif not (self.pixels and scaled):
            return model
        return keras.Model(inputs, outputs, name="network")

    def signature(self, batch: int | None = None, *, dtype: str | None = None) -> list[Any]:
        """Return the signature of a file that takes a number of images, by default any.

        Keras needs it for ONNX: it would refuse a model there that was not called before.
        """
        import keras

        name = "image" if self.pixels else "input"
        return [keras.InputSpec(dtype or self.input_dtype, (batch, *self.input_shape), name=name)]


def check_ends(network: Network) -> None:
    """Raise InvalidInputError unless a network has one input of floats, and one output."""
    architecture = network.architecture
    ends = architecture.output
    inputs = 1 + sum(not node.inputs for node in architecture.nodes)
    outputs, taken = 1, "float32"
    if isinstance(ends.layer, KerasEnds):
        outputs, taken = len(ends.inputs), str(ends.layer.taken["tensors"][0]["dtype"])
    if inputs != 1 or outputs != 1:
        raise InvalidInputError(
            f"export: expected a network with one input and one output, got {inputs} and "
            f"{outputs}: use to_keras(), and Keras' own model.export"
        )
    if "float" not in taken:
        raise InvalidInputError(
            f"export: expected a model that takes floats, got one that takes {taken}: export the "
            "network that it was made of"
        )


def on_processor() -> AbstractContextManager[Any]:
    """Return a context in which Keras computes on the processor: a GPU rounds convolutions more."""
    import keras

    device: AbstractContextManager[Any] = keras.device("cpu:0")
    return device


def probabilities_by(network: Network) -> str:
    """Return the function whose values a network's outputs are, where they are probabilities.

    It is "softmax" or a sigmoid; "" of an end whose outputs are no probabilities yet, as logits.
    """
    architecture = network.architecture
    node = architecture.output
    while isinstance(node.layer, _PASSED):
        name = node.inputs[0]
        if name not in architecture:
            return ""
        node = architecture[name]
    function = node.layer.activation_behind("linear")
    return function if function in _PROBABILITIES else ""


def adds_softmax(network: Network, *, asked: bool) -> bool:
    """Return whether a file has a softmax behind the network: if asked, and if there is one to add.

    Raises
    ------
    InvalidInputError
        When it is asked for a single output that is no probability: it would always be 1.
    """
    if not asked or probabilities_by(network):
        return False
    if network.outputs == 1:
        raise InvalidInputError(
            "softmax: expected a network of at least two outputs, or one that ends in a sigmoid, "
            "got one output, of which a softmax is always 1: leave softmax out, and take the "
            "sigmoid of the output where it is a logit"
        )
    return True
