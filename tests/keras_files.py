"""Files of small Keras models, as users hand them over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from growsearch.training.slim.backend import tf

keras: Any = tf.keras
L = keras.layers


def model(shape: tuple[int, ...] = (8, 8, 1), classes: int = 3, width: int = 4) -> Any:
    """A convolution, a dense layer and a softmax, with biases as after training."""
    keras.utils.set_random_seed(0)
    found = keras.Sequential(
        [
            keras.Input(shape),
            L.Conv2D(width, 3, activation="relu", name="conv1"),
            L.MaxPooling2D(name="pool1"),
            L.Flatten(name="flat"),
            L.Dense(6, activation="relu", name="fc1"),
            L.Dense(classes, activation="softmax", name="out"),
        ]
    )
    rng = np.random.default_rng(0)
    found.set_weights([w + 0.1 * rng.standard_normal(w.shape) for w in found.get_weights()])
    return found


class Doubled(L.Layer):
    """A layer of the user's own."""

    def call(self, inputs: Any) -> Any:
        """Double the inputs."""
        return 2.0 * inputs


def with_code(layer: Any) -> Any:
    """A model with a layer that is code."""
    return keras.Sequential([keras.Input((4,)), layer, L.Dense(2, name="fc1")])


def saved(value: Any, path: Path) -> Path:
    """The path, after the model was saved there."""
    value.save(path)
    return path
